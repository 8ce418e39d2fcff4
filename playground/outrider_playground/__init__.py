"""Simulated clusters, WAN links and a demo fleet, for the demo, tests and benchmarks."""
