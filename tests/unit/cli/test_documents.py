import json
from pathlib import Path

import pytest

from outrider_cli.documents import BOUNDS, Found, read_all

TILL = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: till}\nspec: {}\n"


def read(path: Path) -> list[Found]:
    return list(read_all([str(path)]))


def test_a_document_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"# shops\n---\n{TILL}---\n# nothing\n---\n{TILL}")
    assert [str(found.place) for found in read(file)] == [f"{file}:2 (document 1)", f"{file}:9 (document 2)"]


def test_a_folder_is_read_whole_in_the_order_of_its_paths_but_for_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "b.yml",
        "a.yaml",
        "c.json",
        "notes.md",
        "sub/d.yaml",
        "sub/deep/a.yaml",
        ".git/x.yaml",
        ".y.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TILL if not name.endswith("json") else json.dumps({"kind": 1}))
    (tmp_path / "sub" / "round").symlink_to(tmp_path)
    files = [str(Path(found.place.file).relative_to(tmp_path)) for found in read(tmp_path)]
    assert files == ["a.yaml", "b.yml", "c.json", "sub/d.yaml", "sub/deep/a.yaml"]


def test_a_list_is_taken_apart(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    items = [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}}
        for name in "ab"
    ]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*items, 3]}))
    assert [found.manifest for found in read(file)] == [*items, None]
    assert str(read(file)[2].place).endswith("(document 1, item 3)")


def test_a_typed_list_as_the_api_gives_it_tells_its_items_their_type(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationList\nitems: [{metadata: {name: a}}]\n"
    )
    (found,) = read(file)
    assert found.manifest == {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- 1", "is no object"),
        ("kind: Application", "apiVersion: is missing"),
        ("apiVersion: argoproj.io/v1alpha1", "kind: is missing"),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: 3}}",
            "metadata.name: is missing or no text",
        ),
        ("a: b: c", "mapping values are not allowed"),
        ("", "holds no document"),
        ("a: \x01", "character"),
    ],
)
def test_what_is_no_object_is_told_with_the_field(tmp_path: Path, text: str, error: str) -> None:
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
    assert "holds no .yaml, .yml, .json file" in found.error
