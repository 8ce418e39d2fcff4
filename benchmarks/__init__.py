"""Measurements, one line of JSON each: python -m benchmarks NAME --json."""
