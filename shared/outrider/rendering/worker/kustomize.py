"""Render a kustomization with kubectl's kustomize, after a look at everything it refers to."""

import json
import re
from pathlib import Path

from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import InvalidDocument, read_yaml
from outrider.rendering.worker import kustomization
from outrider.rendering.worker.job import Job, Outcome
from outrider.rendering.worker.kubectl import Kubectl
from outrider.rendering.worker.kustomize_edits import edited
from outrider.rendering.worker.manifests import manifests_of

STAGE = "kustomize"
_COMPLAINT_MAX_CHARS = 1500
_ACCUMULATION = re.compile(r"accumulating resources(: accumulation err='.*?')?: ", re.DOTALL)


def render(job: Job, kubectl: Kubectl) -> Outcome:
    """Return the manifests of the kustomization, with the Application's options put in."""
    path, content = kustomization.load(job, job.folder)
    options = _present_components(job)
    if any(options.values()):
        path.write_text(json.dumps(edited(content, options)))
    kustomization.check(job)
    try:
        text = kubectl.kustomize(job.folder)
    except RenderError as error:
        raise _explained(job, error) from None
    outcome = Outcome()
    try:
        for document in read_yaml(text, job.bounds):
            outcome.manifests += manifests_of(document.value, STAGE, job.shown(path), None)
    except InvalidDocument as error:
        raise RenderError(STAGE, f"renders to what is no YAML: {error}", file=job.shown(path)) from None
    return outcome


def _present_components(job: Job) -> dict[str, object]:
    """Return the options, without the components that may be missing and are."""
    options = dict(job.options)
    if options.get("ignore_missing_components"):
        options["components"] = [item for item in options.get("components", []) if _exists(job, item)]
    return options


def _exists(job: Job, reference: str) -> bool:
    target = (job.folder / reference).resolve()
    return target.is_relative_to(job.root) and target.exists()


def _explained(job: Job, error: RenderError) -> RenderError:
    """Return kubectl's complaint with paths as they are in the repository, and without what it repeats."""
    reason = error.reason.replace(f"{job.root}/", "").replace(str(job.root), ".").strip()
    lines = [
        line.removeprefix("error: ") for line in reason.splitlines() if not line.startswith("# Warning:")
    ]
    reason = _ACCUMULATION.sub("", "\n".join(lines))[:_COMPLAINT_MAX_CHARS] or "kubectl kustomize failed"
    return RenderError(STAGE, reason, file=Path(job.path).as_posix(), transient=error.transient)
