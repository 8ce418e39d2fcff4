"""A wide-area link between an agent and the hub: a TCP proxy that cuts, hangs, slows and counts."""

from outrider_playground.wan.conditions import Conditions
from outrider_playground.wan.counters import Count, Counters, Way
from outrider_playground.wan.link import LinkState, WanLink

__all__ = ["Conditions", "Count", "Counters", "LinkState", "WanLink", "Way"]
