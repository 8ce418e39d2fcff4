"""How an agent renders what it has to render itself."""

from dataclasses import dataclass, field

from outrider.backoff import Backoff


@dataclass(frozen=True)
class RenderingSettings:
    """What can be set. Times in seconds."""

    poll_interval_s: float = 60
    # between looks at a repository that announces nothing; jittered, once for all applications
    hosts: tuple[str, ...] = ()
    # if there are any, the only ones that repositories may be on, besides those that a Secret vouches for
    local_repositories: bool = False
    # file:// and private networks may be read
    workers: int = 1
    # of each kind, that render at a time
    restart: Backoff = field(default_factory=lambda: Backoff(1.0, 60.0))
    # of the process that renders, when it dies
