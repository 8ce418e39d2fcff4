"""The hub's side of delegated rendering: what a pool's renderers may read and write, and nothing else."""
