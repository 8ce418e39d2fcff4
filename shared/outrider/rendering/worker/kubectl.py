"""Start kubectl, once a rendering, as a child that can do less than the worker itself: read the source and write to a pipe.

It has no environment, no program to find, no network, no child of its own. Its output is read up to a limit; beyond it the pipe is
closed, and kubectl ends at its next write.
"""

import contextlib
import os
import select
import signal
import sys
from pathlib import Path

from outrider.rendering.errors import RenderError
from outrider.rendering.worker import landlock, limits, sandbox, seccomp, system

_STDERR_MAX_BYTES = 64 * 1024
_READ_BYTES = 256 * 1024
_ENVIRONMENT = [b"HOME=/nonexistent", b"PATH=/nonexistent", b"GOMAXPROCS=2", b"GOTRACEBACK=none"]
_CHILD_FAILED = 126


class Kubectl:
    """The one program that the worker may start."""

    def __init__(
        self, executable: sandbox.ExecutablePath, visible: Path, bounds: limits.Limits, confined: bool
    ) -> None:
        self._executable, self._visible, self._bounds = executable, visible, bounds
        self._confined = confined

    def kustomize(self, folder: Path) -> bytes:
        """Return what `kubectl kustomize` writes; RenderError holds what it complains about."""
        arguments = [b"kubectl", b"kustomize", os.fsencode(folder)]
        output, complaint = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            self._become_kubectl(arguments, output[1], complaint[1])
        os.close(output[1])
        os.close(complaint[1])
        stdout, stderr, complete = _drain(output[0], complaint[0], self._bounds.output_bytes)
        _, status = os.waitpid(child, 0)
        if not complete:
            raise RenderError("kustomize", f"renders to more than {self._bounds.output_bytes} bytes")
        if status != 0:
            raise self._failure(status, stderr)
        return stdout

    def _become_kubectl(self, arguments: list[bytes], stdout: int, stderr: int) -> None:
        """Run in the child, which must not return."""
        try:
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            os.closerange(3, 256)
            sandbox.end_with_parent()
            limits.apply(self._bounds, written_file_bytes=0)
            if not self._confined:
                _start_unconfined(self._executable.path, arguments)
            if sys.platform == "linux":
                _narrow(self._executable.path, self._visible)
                system.execve(self._executable.address, arguments, _ENVIRONMENT)
        finally:
            os._exit(_CHILD_FAILED)

    def _failure(self, status: int, stderr: bytes) -> RenderError:
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return RenderError(
                "kustomize", f"kubectl was ended by {name}: a limit was reached", transient=True
            )
        text = stderr.decode("utf-8", "replace")
        if "out of memory" in text or "cannot allocate" in text:
            return RenderError("kustomize", "needs more memory than a rendering may have", transient=True)
        if os.WEXITSTATUS(status) == _CHILD_FAILED:
            return RenderError("kustomize", "kubectl could not be started", transient=True)
        return RenderError("kustomize", text)


def _start_unconfined(path: Path, arguments: list[bytes]) -> None:
    variables = dict(item.split(b"=", 1) for item in _ENVIRONMENT)
    os.execve(path, arguments, variables)  # noqa: S606 - one fixed program, and no shell between


def _narrow(executable: Path, visible: Path) -> None:
    """Take away what kubectl does not need of the worker's rights: to write, and to start processes."""
    # Where Landlock is missing, the worker has said so when it began.
    with contextlib.suppress(system.Unsupported):
        landlock.restrict({executable: landlock.READ | landlock.Access.EXECUTE, visible: landlock.READ})
    seccomp.deny_processes()


def _drain(stdout: int, stderr: int, max_bytes: int) -> tuple[bytes, bytes, bool]:
    """Read both pipes to their ends, and close them; the last value tells whether stdout stayed within its limit."""
    taken = {stdout: bytearray(), stderr: bytearray()}
    poll = select.poll()
    for pipe in taken:
        poll.register(pipe, select.POLLIN)
    waiting = set(taken)
    complete = True
    while waiting and complete:
        for pipe, _ in poll.poll():
            data = os.read(pipe, _READ_BYTES)
            if not data:
                poll.unregister(pipe)
                waiting.discard(pipe)
            elif pipe == stdout or len(taken[pipe]) < _STDERR_MAX_BYTES:
                taken[pipe] += data
        complete = len(taken[stdout]) <= max_bytes
    os.close(stdout)
    os.close(stderr)
    return bytes(taken[stdout]), bytes(taken[stderr]), complete
