"""One conversation with a Git server: which object each revision is, and the objects that are not here yet.

It asks for refs and for objects in one connection. Where nothing has moved that is the first question alone, and it names the refs
it wants to know, so that a server with thousands of them sends a few. Objects come without history (depth 1). A server that
can't do that, or gives out no commit that is not at the end of a branch, is asked for everything.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from dulwich.client import GitClient, LocalGitClient
from dulwich.objects import ObjectID
from dulwich.refs import Ref

from outrider.rendering.git import revisions as names
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.bounds import Spending
from outrider.rendering.git.clone import Generation
from outrider.rendering.git.errors import GitError, RepositoryUnavailable, RevisionNotFound
from outrider.rendering.git.failures import NotGivenOut, NotShallow, named
from outrider.rendering.git.https import https_client
from outrider.rendering.git.pack_check import check_pack
from outrider.rendering.git.trees import DAMAGE

_EVERYTHING = 0x7FFFFFFF
# Git's own number for a depth without end.

Heads = dict[str, "bytes | GitError"]


class UnreadableAnswer(Exception):
    """What the server sent could not be unpacked: the server's fault, or that of the clone it was to complete."""


@dataclass
class _Asked:
    """What one request has found out: the object that each revision names, and what to send for it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class Remote:
    """A repository on a server, as one fetch sees it."""

    def __init__(self, access: RepositoryAccess, policy: AddressPolicy, spending: Spending) -> None:
        self._access, self._spending = access, spending
        self._policy = policy.vouching(access.url) if access.vouched else policy
        self._address = self._policy.check(access.url)

    def fetch(self, into: Generation, revisions: Sequence[str]) -> Heads:
        """Return the commit of each revision, with all its files in `into`, or RevisionNotFound.

        Raises GitError if the repository as a whole can't be had.
        """
        known = {
            name: name.encode()
            for name in revisions
            if names.FULL_SHA.fullmatch(name) and into.has(name.encode())
        }
        wanted = [name for name in revisions if name not in known]
        heads = self._commits(into, known)
        if wanted:
            asked = self._ask_shallow(into, wanted)
            if asked.missing:
                asked = self._ask_everything(into, wanted, asked)
            heads |= self._commits(into, asked.objects) | self._not_found(asked.missing)
        into.remember({head for head in heads.values() if isinstance(head, bytes)})
        return heads

    def _commits(self, into: Generation, objects: Mapping[str, bytes]) -> Heads:
        heads: Heads = {}
        for revision, object_id in objects.items():
            try:
                heads[revision] = into.commit_of(object_id, revision)
            except RevisionNotFound as error:
                heads[revision] = error
            except DAMAGE as error:
                raise UnreadableAnswer(type(error).__name__) from error
        return heads

    def _ask_shallow(self, into: Generation, wanted: Sequence[str]) -> _Asked:
        try:
            return self._ask(into, wanted, depth=1)
        except NotShallow:
            return self._ask(into, wanted, depth=None)
        except (NotGivenOut, RepositoryUnavailable):
            if not any(names.FULL_SHA.fullmatch(name) for name in wanted):
                raise
            # A commit asked for by its id, which some servers refuse by hanging up: look for it in everything there is.
            return _Asked(missing=list(wanted))

    def _ask_everything(self, into: Generation, wanted: Sequence[str], before: _Asked) -> _Asked:
        by_id = [
            name
            for name in before.missing
            if names.FULL_SHA.fullmatch(name) or names.SHORT_SHA.fullmatch(name)
        ]
        if not by_id:
            return before
        try:
            return self._ask(into, wanted, depth=_EVERYTHING)
        except NotShallow:
            return self._ask(into, wanted, depth=None, everything=True)

    def _ask(
        self, into: Generation, wanted: Sequence[str], depth: int | None, everything: bool = False
    ) -> _Asked:
        asked = _Asked()
        all_of_it = everything or depth == _EVERYTHING

        def determine_wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            plain = {bytes(name): bytes(value) for name, value in refs.items()}
            for revision in wanted:
                self._resolve(asked, into, revision, plain, by_id=not all_of_it)
            ids = (
                set(plain.values())
                if all_of_it
                else {one for one in asked.objects.values() if not into.has(one)}
            )
            return [ObjectID(one) for one in sorted(ids)]

        prefixes = [b"HEAD", b"refs/heads/", b"refs/tags/"] if all_of_it else names.ref_prefixes(wanted)
        self._exchange(into, determine_wants, depth, prefixes)
        if all_of_it:
            self._resolve_by_id(asked, into)
        for revision in [name for name in asked.objects if names.FULL_SHA.fullmatch(name)]:
            if not into.has(asked.objects[revision]):
                # Some servers refuse a commit asked for by its id by sending nothing.
                del asked.objects[revision]
                asked.missing.append(revision)
        return asked

    def _resolve(
        self, asked: _Asked, into: Generation, revision: str, refs: Mapping[bytes, bytes], by_id: bool
    ) -> None:
        found = names.find(revision, refs)
        if found is None and names.FULL_SHA.fullmatch(revision) and by_id:
            found = revision.encode()
        if found is None and names.SHORT_SHA.fullmatch(revision):
            candidates = {
                one for one in refs.values() if one.startswith(revision.encode())
            } | into.abbreviated(revision)
            found = candidates.pop() if len(candidates) == 1 else None
        if found is None:
            asked.missing.append(revision)
        else:
            asked.objects[revision] = found

    def _resolve_by_id(self, asked: _Asked, into: Generation) -> None:
        for revision in list(asked.missing):
            candidates: set[bytes] = set()
            if names.FULL_SHA.fullmatch(revision) and into.has(revision.encode()):
                candidates = {revision.encode()}
            elif names.SHORT_SHA.fullmatch(revision):
                candidates = into.abbreviated(revision)
            if len(candidates) == 1:
                asked.missing.remove(revision)
                asked.objects[revision] = candidates.pop()

    def _not_found(self, missing: Sequence[str]) -> Heads:
        if not missing:
            return {}
        client, path = self._client()
        try:
            with named(self._access):
                refs = client.get_refs(path.encode(), ref_prefix=[b"refs/heads/", b"refs/tags/"]).refs
        finally:
            client.close()
            self._spending.release()
        plain = [bytes(name) for name in refs]
        empty = "" if plain else "the repository has no branch yet"
        return {name: RevisionNotFound(name, names.near(name, plain), empty) for name in missing}

    def _exchange(
        self,
        into: Generation,
        determine_wants: Callable[..., list[ObjectID]],
        depth: int | None,
        prefixes: list[bytes],
    ) -> None:
        client, path = self._client()
        walker = _Haves(into)
        with tempfile.TemporaryFile(dir=into.path / "objects") as file:
            try:
                with named(self._access):
                    result = client.fetch_pack(
                        path.encode(),
                        determine_wants,
                        walker,
                        self._sink(file),
                        depth=depth,
                        ref_prefix=prefixes,
                    )
            finally:
                client.close()
                self._spending.release()
            self._unpack(into, file)
        into.repo.update_shallow(
            (result.new_shallow or set()) | walker.new_shallow,
            (result.new_unshallow or set()) | walker.unshallow,
        )

    def _sink(self, file: BinaryIO) -> Callable[[bytes], int]:
        if self._address.scheme == "file":
            return lambda data: file.write(self._spending.received(data))
        return file.write

    def _unpack(self, into: Generation, file: BinaryIO) -> None:
        if file.seek(0, 2) == 0:
            return
        file.seek(0)
        count = check_pack(file, self._spending)
        file.seek(0)
        if count == 0:
            return
        try:
            into.repo.object_store.add_thin_pack(file.read, None)
        except DAMAGE as error:
            raise UnreadableAnswer(type(error).__name__) from error

    def _client(self) -> tuple[GitClient, str]:
        address = self._address
        match address.scheme:
            case "https" | "http":
                return https_client(self._access, address, self._policy, self._spending), ""
            case "ssh":
                from outrider.rendering.git.ssh import ssh_client

                return ssh_client(self._access, address, self._policy, self._spending), address.path
            case _:
                return LocalGitClient(), address.path


class _Haves:
    """Tells the server which commits are here already, and gathers what it says about the edge of the history."""

    def __init__(self, into: Generation) -> None:
        self._heads = into.heads()
        self.shallow = set(into.repo.get_shallow())
        self.new_shallow: set[ObjectID] = set()
        self.unshallow: set[ObjectID] = set()

    def __next__(self) -> ObjectID | None:
        return self._heads.pop() if self._heads else None

    next = __next__

    def ack(self, sha: ObjectID, /) -> None:
        """Take note of nothing: every head is told anyway."""

    def nak(self) -> None:
        """Take note of nothing."""

    def update_shallow(self, new: set[ObjectID] | None, gone: set[ObjectID] | None) -> None:
        """Gather what a local repository says."""
        self.new_shallow |= new or set()
        self.unshallow |= gone or set()
