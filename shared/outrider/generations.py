"""The digest by which a hub and an edge compare which Desired records the edge holds."""

from collections.abc import Mapping

from outrider import delta
from outrider.messages import Generation
from outrider.names import AppName, token


def holdings_digest(held: Mapping[AppName, Generation]) -> bytes:
    """Return 8 bytes over (application, generation), tombstones that are not carried out yet included."""
    return delta.set_digest({token(app): b"%d.%d" % generation for app, generation in held.items()})
