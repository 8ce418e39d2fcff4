"""The demo: a hub, five edges behind WAN links, and a Git repository with three applications."""
