"""What an application's spec says about syncing it. Pure: Argo CD's `Application.spec` in, one value out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.diff.ignore import IgnoreRule, ignore_rules, site_rules
from edge_agent.sync import options
from edge_agent.sync.durations import duration_s
from outrider.backoff import Backoff

if TYPE_CHECKING:
    from edge_agent.sync.options import Options

# Seconds. Argo CD's own backoff grows to 3 minutes and ends after 5 attempts; here it grows a little further
# and never ends.
DEFAULT_BACKOFF = Backoff(first_s=5.0, cap_s=300.0)

# Argo CD's default of `revisionHistoryLimit`.
HISTORY_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """How an application is synced. Retry limits of None: for ever."""

    namespace: str = ""
    automated: bool = False
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    options: Options = field(default_factory=dict)
    ignore: tuple[IgnoreRule, ...] = ()
    backoff: Backoff = DEFAULT_BACKOFF
    retry_limit: int | None = None
    asked_retry_limit: int | None = 0
    """Of a sync that somebody asks for: as in Argo CD it is retried only where the application has a `retry`."""
    history_limit: int = HISTORY_LIMIT

    def on(self, option: str) -> bool:
        """Say whether an option of the application is on."""
        return options.enabled(option, options.NONE, self.options)


def policy_of(
    spec: Mapping[str, Any], ignored_by_site: Mapping[str, Mapping[str, Any]] | None = None
) -> Policy:
    """Read the policy from a spec; `ignored_by_site` is what the cluster's settings ignore, by kind."""
    sync = spec.get("syncPolicy") or {}
    automated = sync.get("automated")
    retry = sync.get("retry") or {}
    switches = automated if isinstance(automated, Mapping) else {}
    return Policy(
        namespace=str((spec.get("destination") or {}).get("namespace") or ""),
        # Its presence turns it on, `automated: {}` too; `enabled: false` turns it off again.
        automated=automated is not None and switches.get("enabled") is not False,
        prune=bool(switches.get("prune")),
        self_heal=bool(switches.get("selfHeal")),
        allow_empty=bool(switches.get("allowEmpty")),
        options=options.parse(sync.get("syncOptions") or ()),
        ignore=(*ignore_rules(spec), *site_rules(ignored_by_site or {})),
        backoff=_backoff(retry.get("backoff") or {}),
        retry_limit=_limit(retry.get("limit")),
        asked_retry_limit=_limit(retry.get("limit", 0)),
        history_limit=_history_limit(spec.get("revisionHistoryLimit")),
    )


def _limit(value: Any) -> int | None:
    return None if value is None or int(value) < 0 else int(value)


def _history_limit(value: Any) -> int:
    return HISTORY_LIMIT if value is None else max(0, int(value))


def _backoff(given: Mapping[str, Any]) -> Backoff:
    return Backoff(
        first_s=duration_s(given.get("duration"), DEFAULT_BACKOFF.first_s),
        cap_s=duration_s(given.get("maxDuration"), DEFAULT_BACKOFF.cap_s),
        factor=float(given.get("factor") or DEFAULT_BACKOFF.factor),
    )
