"""How many cores there are for this process."""


def cores() -> int:
    """Those that affinity and a container's quota leave it (joblib asks for both), not those of the machine; at least 1."""
    from joblib import cpu_count  # here: it takes a moment to import, and `posekit --help` is to answer at once

    return cpu_count()
