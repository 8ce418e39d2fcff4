"""What the agent tells the process when it starts it. Nothing secret: others on the machine may see it."""

from dataclasses import dataclass
from pathlib import Path

from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.settings import RenderSettings

MIB = 1 << 20
KEEPS_FREE_BYTES = 128 * MIB
# Of the disk, which is the replica's too: what can't be fetched must not keep an agent from writing.
CHARTS_MAX_BYTES = 256 * MIB
IDLE_S = 20.0
# A worker that renders is gone after this: between two commits its memory is the site's.


@dataclass(frozen=True)
class Settings:
    """All of it."""

    folder: str
    # of clones, charts and exports; it can be lost at any time
    workers: int = 1
    # of each kind, at a time
    hosts: tuple[str, ...] = ()
    # if there are any, the only ones that repositories may be on, besides those that are vouched for
    local_repositories: bool = False
    # file:// and private networks may be read
    idle_s: float = IDLE_S

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def policy(self) -> AddressPolicy:
        """Which addresses may be used without anybody vouching for them."""
        hosts = frozenset(self.hosts)
        return AddressPolicy(hosts=hosts) if self.local_repositories else AddressPolicy.locked_down(hosts)

    @property
    def rendering(self) -> RenderSettings:
        """How the workers are run."""
        return RenderSettings(self.root / "renders", workers=self.workers, idle_s=self.idle_s)
