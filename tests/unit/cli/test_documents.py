import json
from pathlib import Path

import pytest

from outrider_cli.documents import BOUNDS, Found, read_all

TILL = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: till}\nspec: {}\n"


def read(path: Path, *, recursive: bool = False) -> list[Found]:
    return list(read_all([str(path)], recursive=recursive))


def test_a_document_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"# shops\n---\n{TILL}---\n# nothing\n---\n{TILL}")
    assert [str(found.place) for found in read(file)] == [f"{file}:2 (document 1)", f"{file}:9 (document 2)"]


def test_a_folder_is_read_in_the_order_of_its_names_and_its_folders_when_asked_to(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.yml", "a.yaml", "c.json", "notes.md", "sub/d.yaml"):
        (tmp_path / name).write_text(TILL if not name.endswith("json") else json.dumps({"kind": 1}))
    assert [Path(found.place.file).name for found in read(tmp_path)] == ["a.yaml", "b.yml", "c.json"]
    assert [Path(found.place.file).name for found in read(tmp_path, recursive=True)][-1] == "d.yaml"


def test_a_list_is_taken_apart(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    items = [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}}
        for name in "ab"
    ]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert [found.manifest for found in read(file)] == items


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- 1", "is no object"),
        ("kind: Application", "apiVersion: is missing"),
        ("apiVersion: argoproj.io/v1alpha1", "kind: is missing"),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: AppProject}",
            "kind: AppProject of argoproj.io/v1alpha1 is not supported",
        ),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: 3}}",
            "metadata.name: is missing or no text",
        ),
        ("a: b: c", "mapping values are not allowed"),
        ("", "holds no document"),
        ("a: \x01", "character"),
    ],
)
def test_what_is_no_application_is_told_with_the_field(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    (found,) = read(tmp_path / "x.yaml")
    assert found.manifest is None
    assert error in found.error


def test_a_file_is_read_up_to_its_bound_only(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"#" * (BOUNDS.max_bytes + 10))
    (found,) = read(tmp_path / "x.yaml")
    assert "allowed" in found.error


def test_an_empty_folder_is_pointed_out(tmp_path: Path) -> None:
    (found,) = read(tmp_path)
    assert "-R" in found.error
