"""Lock this process in, load what renders, and take one source after the other until the pool closes the pipe.

Arguments: the folder for sources, the role, the limits as JSON, and where kubectl is.
"""

import importlib.util
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from outrider.rendering import doublestar
from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import Bounds
from outrider.rendering.layers import Layer, Protection
from outrider.rendering.worker import (
    directory,
    documents,
    frames,
    jsonnet,
    kustomize,
    landlock,
    limits,
    sandbox,
)
from outrider.rendering.worker.job import Job, Outcome
from outrider.rendering.worker.kubectl import Kubectl
from outrider.rendering.worker.roles import Role

JOB_FOLDER, SOURCE_FOLDER, REFERENCES_FOLDER = "job", "source", "references"
_LOADED_FROM_OUTSIDE = (doublestar,)
# Used by what is loaded later, when no file outside can be read any more.
PYTHON_LIBRARY = Path(os.__file__).parent
# Python imports parts of its own library, codecs for one, only when they are first used.

Render = Callable[[Job], Outcome]


def main(folder: str, role: str, bounds_json: str, kubectl_path: str) -> None:
    """Run until the pool is gone."""
    requests, answers = _take_over_pipes()
    sandbox.end_with_parent()
    bounds = limits.Limits(**json.loads(bounds_json))
    slot = Path(folder)
    if role == Role.CHARTS:
        protection, renders = _chart_renderer(slot, bounds)
    else:
        protection, renders = _manifest_renderer(slot, bounds, Path(kubectl_path))
    frames.send(answers, {"present": sorted(protection.present), "missing": protection.missing, **_usage()})
    while (request := frames.receive(requests)) is not None:
        frames.send(answers, _answer(slot, renders, request, bounds.output_bytes))


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to the pool where no library writes to them: what is printed goes nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


def _chart_renderer(slot: Path, bounds: limits.Limits) -> tuple[Protection, dict[str, Render]]:
    spec = importlib.util.find_spec("helm_python")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("helm_python")
    library = Path(spec.submodule_search_locations[0])
    visible = [slot, library, Path(__file__).parent, PYTHON_LIBRARY]
    protection = sandbox.enter(bounds, dict.fromkeys(visible, landlock.READ), None)
    # Loaded here and not above: the threads that Helm's library starts must be born inside.
    from outrider.rendering.worker import helm

    return protection, {"Helm": helm.render}


def _manifest_renderer(
    slot: Path, bounds: limits.Limits, kubectl: Path
) -> tuple[Protection, dict[str, Render]]:
    executable = sandbox.ExecutablePath(kubectl)
    jsonnet.preload()
    visible = {
        slot: landlock.READ | landlock.WRITE,
        kubectl: landlock.READ | landlock.Access.EXECUTE,
        PYTHON_LIBRARY: landlock.READ,
    }
    if jsonnet.LIBRARY is not None and jsonnet.LIBRARY.origin:
        visible[Path(jsonnet.LIBRARY.origin)] = landlock.READ
    protection = sandbox.enter(bounds, visible, executable)
    confined = Layer.SYSTEM_CALLS in protection.present
    program = Kubectl(executable, slot, bounds, confined)
    return protection, {
        "Directory": directory.render,
        "Kustomize": lambda job: kustomize.render(job, program),
        "Document": documents.read,
        "Index": documents.read_index,
    }


def _answer(
    slot: Path, renders: dict[str, Render], request: dict[str, Any], max_output_bytes: int
) -> dict[str, Any]:
    job = Job(
        root=slot / JOB_FOLDER / SOURCE_FOLDER,
        references=slot / JOB_FOLDER / REFERENCES_FOLDER,
        path=request["path"],
        kind=request["kind"],
        options=request["options"],
        release=request["release"],
        bounds=Bounds(**request["bounds"]),
    )
    stage = job.kind.lower()
    try:
        outcome = renders[job.kind](job)
    except RenderError as error:
        failure = error
    except RecursionError:
        failure = RenderError(stage, "is nested too deeply")
    except MemoryError:
        failure = RenderError(stage, "needs more memory than a rendering may have", transient=True)
    except Exception as error:  # noqa: BLE001 - the boundary of the loop: one source's surprise is not the next one's
        traceback.print_exc()
        failure = RenderError(
            stage, f"the renderer failed ({type(error).__name__}); this is a fault of its own"
        )
    else:
        answer = {"manifests": outcome.manifests, "warnings": outcome.warnings, **_usage()}
        if len(frames.encode(answer)) <= max_output_bytes:
            return answer
        failure = RenderError(stage, f"renders to more than {max_output_bytes} bytes")
    return {"error": failure.as_dict(), **_usage()}


def _usage() -> dict[str, Any]:
    """Return what this process has used in its life, by which the pool decides when to replace it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_memory_bytes": usage.ru_maxrss * unit_bytes}
