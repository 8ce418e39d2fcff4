"""The agent on an edge cluster: link, replica, cluster, applications."""
