"""CustomResourceDefinitions and what they define: types, pruning, defaults and validation."""
