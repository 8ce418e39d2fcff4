"""What the bus says of itself in its log, heard by a command that has a person waiting.

The connection is made to try for ever and to log why it could not; a command gives up, and tells the reason in its sentence.
"""

import asyncio
import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from outrider import process

_HOPELESS = ("authorization", "certificate_verify_failed")
# Trying again changes nothing.
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class BusLog:
    """Hears the log of one connection; for one event loop."""

    def __init__(self, attempts_max: int) -> None:
        self._attempts_left = attempts_max
        self._gave_up = asyncio.Event()
        self._forbidden = asyncio.Event()
        self.reason = ""

    def listen(self, *, loudly: bool) -> None:
        """Take over the process's log: it is heard, and printed only when asked to."""
        for noisy in ("asyncio", "nats"):
            # They log what the bus reports itself, and Python prints warnings that nobody handles.
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        if loudly:
            process.configure_logging("debug")
            structlog.configure(processors=[self._hear, *structlog.get_config()["processors"]])
        else:
            structlog.configure(processors=[self._hear, _drop])

    def _hear(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        reason = _ERRNO.sub("", str(event.get("reason", "")))
        if event["event"] == "no connection to the bus":
            self.reason = _reworded(reason)
            self._attempts_left -= 1
            if self._attempts_left <= 0 or any(sign in reason.lower() for sign in _HOPELESS):
                self._gave_up.set()
        elif "permissions violation" in reason.lower():
            self.reason = reason
            self._forbidden.set()
        return event

    async def gave_up(self) -> None:
        """Wait until trying again makes no sense; then ConnectionError."""
        await self._gave_up.wait()
        raise ConnectionError(self.reason)

    async def forbidden(self) -> None:
        """Wait until the server refuses something to this identity; then PermissionError."""
        await self._forbidden.wait()
        raise PermissionError(self.reason)


def _drop(_logger: Any, _method: str, _event: MutableMapping[str, Any]) -> Any:
    raise structlog.DropEvent


def _reworded(reason: str) -> str:
    """Return the reasons that people meet in words that say what to look at."""
    if "Connect call failed" in reason or "Multiple exceptions" in reason:
        return "nobody listens there"
    if "authorization" in reason.lower():
        return "it does not accept these credentials, which are another hub's or revoked"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return f"its certificate is not from this hub's authority, or for another name ({reason})"
    return reason
