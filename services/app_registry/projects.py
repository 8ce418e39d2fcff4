"""The projects there are, and which applications are in each. No I/O."""

from app_registry.project import IMPLICIT_DEFAULT, Asked, Project
from outrider.names import AppName
from outrider.spec.application import DEFAULT_PROJECT


class NotPermitted(Exception):
    """A project does not permit an application; `refusals` has a sentence for each rule that it breaks."""

    def __init__(self, refusals: list[str]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(refusals))


class Projects:
    """Projects by name, applications by project."""

    def __init__(self) -> None:
        self._stored: dict[str, Project] = {}
        self._damaged: dict[str, str] = {}
        # stored projects that this version does not understand, and why: nothing new is permitted in them
        self._revisions: dict[str, int] = {}
        self._applications: dict[str, set[AppName]] = {}
        self._of: dict[AppName, str] = {}

    def names(self) -> list[str]:
        """Return every project's name in order; `default` is always there."""
        return sorted({DEFAULT_PROJECT, *self._stored, *self._damaged})

    def get(self, name: str) -> Project | None:
        """Return a project; `default` is there before anybody applies it."""
        if name in self._damaged:
            return None
        return self._stored.get(name) or (IMPLICIT_DEFAULT if name == DEFAULT_PROJECT else None)

    def permitting(self, name: str, asked: Asked) -> Project:
        """Return a project that permits an application; NotPermitted says why it doesn't."""
        project = self.get(name)
        if project is None:
            raise NotPermitted([self._why_not(name)])
        if refusals := project.refusals(asked):
            raise NotPermitted(refusals)
        return project

    def _why_not(self, name: str) -> str:
        if name in self._damaged:
            return f"spec.project: project {name!r} can't be read by this version: {self._damaged[name]}"
        return f"spec.project: there is no project {name!r}; apply the AppProject first, or use project {DEFAULT_PROJECT!r}"

    def applications(self, name: str) -> frozenset[AppName]:
        """Return the applications in a project."""
        return frozenset(self._applications.get(name, ()))

    def put(self, name: str, revision: int, project: Project | None, damage: str = "") -> frozenset[AppName]:
        """Take in a project (None: it is gone, or damaged) unless a newer one is known; return the applications that it concerns."""
        if revision <= self._revisions.get(name, 0):
            return frozenset()
        self._revisions[name] = revision
        self._stored.pop(name, None)
        self._damaged.pop(name, None)
        if project is not None:
            self._stored[name] = project
        elif damage:
            self._damaged[name] = damage
        return self.applications(name)

    def put_application(self, app: AppName, project: str | None) -> None:
        """Take in which project an application is in (None: it is gone)."""
        if (before := self._of.pop(app, None)) is not None:
            self._applications[before].discard(app)
            if not self._applications[before]:
                del self._applications[before]
        if project is not None:
            self._of[app] = project
            self._applications.setdefault(project, set()).add(app)
