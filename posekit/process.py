"""The cores and the memory that this process has, and keeping what the C library would otherwise give back."""

import ctypes
import os
import sys
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # mallopt(3)
_MIB = 2**20
KEEPING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}  # environment of a process that is to keep its memory


def cores() -> int:
    """Those that affinity and a container's quota leave it (joblib asks for both), not those of the machine; at least 1."""
    from joblib import cpu_count  # here: it takes a moment to import, and `posekit --help` is to answer at once

    return cpu_count()


def keep_memory(keep: bool = True) -> bool:
    """Let this process keep the memory that tensors free, or with False not; says whether it could.

    glibc maps every block above 32 MB afresh and unmaps it when it is freed, so that each large activation
    costs a page fault every 4 KB: a fifth of the time of float32 training at 256 px, and a tenth of a
    bfloat16 prediction. The price is that the process stays as large as it once was. False is not quite as if nothing had
    been said: glibc's thresholds no longer adjust themselves, and stand where they come to rest once large blocks have been freed.
    Elsewhere than on glibc nothing happens. The command line calls this, the library never: it would change the caller's whole process.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    values = (
        {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1} if keep else {_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 32 * _MIB, _TRIM_THRESHOLD: 64 * _MIB}
    )
    return all([mallopt(what, value) for what, value in values.items()])


def memory_there_is() -> int:
    """Bytes that this process may have: the machine's, or less where a control group says so; 0 where nobody says (Windows)."""
    if not hasattr(os, "sysconf"):
        return 0
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(pages, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no control groups, or "max"
        return pages
