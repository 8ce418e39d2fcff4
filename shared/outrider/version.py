"""The version of all that is here: hub, agent and command line are released together."""

VERSION = "0.1.0"
