"""From Git to manifests: clone, export, render in a sandboxed worker."""
