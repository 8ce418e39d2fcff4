"""Argo CD lets a repository hold parameters that override those of the Application; that is not supported yet, and said so."""

from outrider.rendering.errors import RenderError
from outrider.rendering.worker.job import Job

_FOR_ALL = ".argocd-source.yaml"


def refuse(job: Job) -> None:
    """Raise RenderError if the source's folder holds overrides for it.

    `.argocd-source-NAME.yaml` is for one application. A chart is rendered for one; other renderings are shared by all
    applications of the folder, so that there any such file counts.
    """
    for path in sorted(job.folder.glob(".argocd-source*.yaml")):
        mine = job.kind != "Helm" or path.name in {_FOR_ALL, f".argocd-source-{job.release['app_name']}.yaml"}
        if mine:
            reason = "parameter overrides inside the repository are not supported yet; move them into the Application"
            raise RenderError(job.kind.lower(), reason, file=job.shown(path))
