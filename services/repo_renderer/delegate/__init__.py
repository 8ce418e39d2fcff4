"""A pool's own renderer: the same loops as the hub's, over requests to the hub's gateway."""
