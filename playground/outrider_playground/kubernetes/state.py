"""All that the verbs of one cluster work on."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .catalog import Catalog
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

_SUFFIX: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What the ends of generated names are made of: nothing that spells words."""

_FIRST_NODE_PORT: Final = 30000


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class State:
    """The objects, resources, clock and chance of one cluster."""

    def __init__(self, clock: Callable[[], datetime] = utc_now, chance: random.Random | None = None) -> None:
        self.clock = clock
        self.chance = chance or random.Random()  # names and uids, no secrets
        self.store = Store()
        self.catalog = Catalog()
        self._addresses_given = 0
        self._node_ports_given = 0

    def dump(self) -> dict[str, Any]:
        """Return all that a restart needs, as JSON."""
        given = {"addresses": self._addresses_given, "nodePorts": self._node_ports_given}
        return {**self.store.dump(), "given": given}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.store.restore(dumped)
        self._addresses_given = dumped["given"]["addresses"]
        self._node_ports_given = dumped["given"]["nodePorts"]

    def now(self) -> str:
        """Return the time as objects hold it: RFC 3339, UTC, whole seconds."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_uid(self) -> str:
        """Return a uid for a new object."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def name_suffix(self) -> str:
        """Return the five characters that end a generated name."""
        return "".join(self.chance.choices(_SUFFIX, k=5))

    def service_address(self) -> str:
        """Give out the next address of 10.96.0.0/12, the range of services."""
        self._addresses_given += 1
        return _address(10, 96, self._addresses_given)

    def pod_address(self) -> str:
        """Give out the next address of 10.244.0.0/14, the range of pods."""
        self._addresses_given += 1
        return _address(10, 244, self._addresses_given)

    def node_port(self) -> int:
        """Give out the next port that nodes open for a service."""
        self._node_ports_given += 1
        return _FIRST_NODE_PORT + self._node_ports_given % 2768


def _address(first: int, second: int, number: int) -> str:
    high, low = divmod(number, 256)
    return f"{first}.{second + (high // 256) % 4}.{high % 256}.{low}"
