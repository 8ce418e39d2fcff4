"""Defaults of volumes and claims."""

from __future__ import annotations

from typing import Any


def claim_spec(spec: dict[str, Any]) -> None:
    """Fill in the spec of a claim."""
    spec.setdefault("volumeMode", "Filesystem")


def claim(manifest: dict[str, Any]) -> None:
    """Fill in a PersistentVolumeClaim."""
    claim_spec(manifest["spec"])
    manifest["status"].setdefault("phase", "Pending")


def volume(manifest: dict[str, Any]) -> None:
    """Fill in a PersistentVolume."""
    manifest["spec"].setdefault("persistentVolumeReclaimPolicy", "Retain")
    manifest["spec"].setdefault("volumeMode", "Filesystem")
    manifest["status"].setdefault("phase", "Pending")


def storage_class(manifest: dict[str, Any]) -> None:
    """Fill in a StorageClass."""
    manifest.setdefault("reclaimPolicy", "Delete")
    manifest.setdefault("volumeBindingMode", "Immediate")


def csi_driver(manifest: dict[str, Any]) -> None:
    """Fill in a CSIDriver."""
    spec = manifest["spec"]
    spec.setdefault("attachRequired", True)
    spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
    spec.setdefault("volumeLifecycleModes", ["Persistent"])
    for name in ("podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"):
        spec.setdefault(name, False)
