import pytest

from outrider.rendering.worker.globs import InvalidPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.yaml", ["a.yaml", "deep/a.yaml", ".yaml"], ["a.yml", "a.yaml.txt"]),
        ("**/*.yaml", ["deep/a.yaml", "a/b/c.yaml"], ["a.yaml"]),
        ("config/*", ["config/a", "config/deep/a"], ["config", "other/a"]),
        ("{*.yml,*.yaml}", ["a.yml", "a.yaml"], ["a.json"]),
        ("{a,{b,c}}.yaml", ["a.yaml", "b.yaml", "c.yaml"], ["d.yaml"]),
        ("a?c", ["abc", "a/c"], ["ac", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[!a-c]x", ["dx"], ["ax"]),
        (r"\*.yaml", ["*.yaml"], ["a.yaml"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a,b", ["a,b"], ["a", "b"]),
        ("(a|b)+", ["(a|b)+"], ["a"]),
        ("", [""], ["a"]),
    ],
)
def test_patterns_match_as_argo_cds_do(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_pattern(pattern)

    assert all(compiled.fullmatch(path) for path in matching)
    assert not any(compiled.fullmatch(path) for path in other)


@pytest.mark.parametrize("pattern", ["{a", "a}", "[a", "{a,{b}", "{" * 50 + "}" * 50])
def test_patterns_that_can_not_be_read_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)
