import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and tiny networks gain nothing from threads
