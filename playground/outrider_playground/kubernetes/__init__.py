"""A stand-in for the Kubernetes API that real clients can talk to."""

from .cluster import SimulatedCluster
from .errors import ApiError
from .faults import Faults, Rule
from .settings import Settings

__all__ = ["ApiError", "Faults", "Rule", "Settings", "SimulatedCluster"]
