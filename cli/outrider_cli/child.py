"""Become one of the services of `outrider up`: `python -m outrider_cli.child MODULE PARENT`.

The kernel is told to end this process when its parent is gone, however that went; then it becomes the service. A hub that was
killed so leaves no service behind that a second hub would have to live with.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# linux/prctl.h; it survives exec.


def main() -> None:
    """Become `python -m MODULE`."""
    module, parent = sys.argv[1], int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        # It went before the kernel was told.
        sys.exit(0)
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
