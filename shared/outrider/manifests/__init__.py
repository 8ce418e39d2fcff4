"""What a bundle's manifests become on a cluster, as far as it is the same for whoever looks: named, placed, tracked, masked. Pure.

The agent applies what comes out, the hub shows it. No pydantic, no YAML: the agent pays for what it imports.
"""
