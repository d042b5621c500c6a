import os

from hypothesis import settings

settings.register_profile("posekit", deadline=None)  # the first example of a test pays for what it loads
settings.load_profile("posekit")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and tiny networks gain nothing from threads
