"""Evaluate jq path expressions in a process of its own: `python -I -S expression_worker.py <folder of jq>`.

An expression is written by whoever writes applications, and jq knows loops, recursion and regular
expressions: evaluated in the agent, one of them would stop it for good (the library holds the interpreter's
lock meanwhile). This process may be killed at any instant, by the kernel when a request takes more than its
time or its memory, without harm to the agent. It has no environment, writes no file, and is given nothing but
the object and the expressions.

Each request is a line of JSON, `[[expression, ...], [object, ...]]`; each answer is one: for each expression
`{"paths": [[path, ...] per object]}` or `{"error": sentence}`. An expression that fails on an object (it
iterates over what isn't there) leads to nothing in it.
"""

import contextlib
import json
import resource
import signal
import sys
from typing import Any

# What one request may take of a processor: a busy site slows nothing down into failure. The kernel ends the
# process at once when it takes longer.
REQUEST_CPU_S = 1.0
MEMORY_BYTES = 256 << 20
# More paths than these are no answer to "which fields".
PATHS_MAX = 2_000
PROGRAMS_MAX = 256


def main() -> None:
    """Answer requests until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.append(sys.argv[1])
    import jq

    programs: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        expressions, objects = json.loads(line)
        if len(programs) > PROGRAMS_MAX:
            programs.clear()
        signal.setitimer(signal.ITIMER_PROF, REQUEST_CPU_S)
        answer = [answered(jq, programs, expression, objects) for expression in expressions]
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def answered(jq: Any, programs: dict[str, Any], expression: str, objects: list[Any]) -> dict[str, Any]:
    """Return what one expression leads to in each object."""
    if expression not in programs:
        try:
            # As one array, so that an expression that fails half way leads to nothing at all.
            programs[expression] = jq.compile(f"[limit({PATHS_MAX + 1}; path({expression}))]")
        except ValueError as error:
            return {"error": f"is no jq path expression: {str(error).splitlines()[0][:200]}"}
    found = []
    for one in objects:
        paths: Any = []
        with contextlib.suppress(ValueError):
            paths = programs[expression].input_value(one).first()
        if not isinstance(paths, list) or len(paths) > PATHS_MAX:
            return {"error": f"leads to more than {PATHS_MAX} fields"}
        found.append(paths)
    return {"paths": found}


if __name__ == "__main__":
    main()
