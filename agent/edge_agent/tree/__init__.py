"""The resource tree of an application, on demand: what its objects own, to any depth, and what is nobody's.

Nothing is watched for it and nothing is kept after the answer.
"""

from edge_agent.tree.answer import orphan_warning, resource_tree
from edge_agent.tree.belonging import belongs

__all__ = ["belongs", "orphan_warning", "resource_tree"]
