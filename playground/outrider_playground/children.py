"""Child processes of a playground: started with a log file each, stopped together, killed when a story wants it."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

STOP_WITHIN_S = 15


class Child:
    """One process, which may be started again after it was killed."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: dict[str, str],
        log: Path,
        folder: Path | None = None,
    ) -> None:
        """`folder`: where it runs, if not where this process does."""
        self.name = name
        self._arguments, self._environment, self._log, self._folder = arguments, environment, log, folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id; 0 if it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def start(self) -> None:
        """Start it (again)."""
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                env={**os.environ, **self._environment},
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """End it as a power cut does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
        await self._process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])


def python(name: str, module: str, *arguments: str, environment: dict[str, str], log_folder: Path) -> Child:
    """Return a child that runs `python -m module`."""
    log_folder.mkdir(parents=True, exist_ok=True)
    return Child(name, [sys.executable, "-m", module, *arguments], environment, log_folder / f"{name}.log")
