"""What makes simulated workloads run: controllers, garbage collection, namespaces, definitions, and the node that runs pods.

Controllers are plain objects without tasks. The loop tells each which keys changed, and calls `reconcile` for each key after a short delay.
"""
