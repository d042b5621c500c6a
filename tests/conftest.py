import os

from hypothesis import settings

settings.register_profile("posekit", deadline=None)  # the first example of a test pays for what it loads
settings.load_profile("posekit")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and tiny networks gain nothing from threads

LONG = ("test_studies.py", "test_sweep.py", "test_workflow.py", "test_clusters.py", "test_calls.py", "test_docs_examples.py")


def pytest_collection_modifyitems(items):
    """The longest files first, lest one of two processes is left alone with them at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)
