"""A Git repository on disk that commits are pushed to, so to speak: what it holds is what the hub fetches."""

from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo

AUTHOR = b"Demo <demo@example.com>"


class Repository:
    """A work tree with a branch `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path, files: dict[str, str]) -> "Repository":
        """Make the repository with one commit."""
        folder.mkdir(parents=True)
        with Repo.init(str(folder), default_branch=b"main"):
            pass
        repository = cls(folder)
        repository.commit(files, "Begin")
        return repository

    @property
    def url(self) -> str:
        """How the hub reaches it."""
        return self.folder.resolve().as_uri()

    def commit(self, files: dict[str, str], message: str) -> str:
        """Write files and commit them; return the commit's SHA."""
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        porcelain.add(str(self.folder), [str(self.folder / path) for path in files])
        return porcelain.commit(
            str(self.folder), message=message.encode(), author=AUTHOR, committer=AUTHOR
        ).decode()

    def remove(self, paths: list[str], message: str) -> str:
        """Remove files and commit; return the commit's SHA."""
        porcelain.remove(str(self.folder), [str(self.folder / path) for path in paths])
        return porcelain.commit(
            str(self.folder), message=message.encode(), author=AUTHOR, committer=AUTHOR
        ).decode()

    def rewrite(self, back: int) -> str:
        """Take the last commits back, as a force push does; return the commit that the branch is at."""
        with Repo(str(self.folder)) as repo:
            walked = [entry.commit.id for entry in repo.get_walker(max_entries=back + 1)]
            porcelain.reset(repo, "hard", walked[-1])
        return walked[-1].decode()

    def replace(self, path: str, old: str, new: str, message: str) -> str:
        """Change text in one file and commit; ValueError if the text is not there."""
        text = (self.folder / path).read_text()
        if old not in text:
            raise ValueError(f"{path} does not hold {old!r}")
        return self.commit({path: text.replace(old, new)}, message)
