"""Repositories: fetched over https, ssh or from disk, looked at by path, written out one source at a time.

The one package that knows dulwich.
"""

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import Address, AddressPolicy, parse_address
from outrider.rendering.git.bounds import FetchLimits
from outrider.rendering.git.errors import (
    AccessNotGiven,
    AddressRefused,
    CloneDamaged,
    CredentialsRefused,
    GitError,
    HostNotTrusted,
    PathNotFound,
    RepositoryTooLarge,
    RepositoryUnavailable,
    RevisionNotFound,
)
from outrider.rendering.git.export import ExportLimits
from outrider.rendering.git.fingerprint import Fingerprint
from outrider.rendering.git.store import GitStore

__all__ = [
    "AccessNotGiven",
    "Address",
    "AddressPolicy",
    "AddressRefused",
    "CloneDamaged",
    "CredentialsRefused",
    "ExportLimits",
    "FetchLimits",
    "Fingerprint",
    "GitError",
    "GitStore",
    "HostNotTrusted",
    "PathNotFound",
    "RepositoryAccess",
    "RepositoryTooLarge",
    "RepositoryUnavailable",
    "RevisionNotFound",
    "parse_address",
]
