"""The sources of one Application together: what each must be beside the others. Pure."""

from collections.abc import Iterator, Sequence

from outrider.spec.references import referred_source
from outrider.spec.source import ApplicationSource

SOURCES_MAX = 32


def check_source(source: ApplicationSource) -> ApplicationSource:
    """Return the only source of an Application; ValueError if it needs others beside it."""
    if not source.is_rendered:
        raise ValueError("path is required: '.' is the root of the repository")
    for where, file in _files(source):
        if (found := referred_source(file)) is not None:
            raise ValueError(
                f"{where}: {file!r} refers to source {found[0]!r}: give both in spec.sources, that one with `ref: {found[0]}`"
            )
    return source


def check_sources(sources: Sequence[ApplicationSource]) -> Sequence[ApplicationSource]:
    """Return the sources of an Application; ValueError says which of them doesn't fit, and why."""
    if not 0 < len(sources) <= SOURCES_MAX:
        raise ValueError(f"holds {len(sources)} sources: give 1 to {SOURCES_MAX}")
    refs = [source.ref for source in sources if source.ref]
    for ref in refs:
        if refs.count(ref) > 1:
            raise ValueError(f"two sources have ref {ref!r}: each needs its own")
    if not any(source.is_rendered for source in sources):
        raise ValueError("none of the sources gives manifests: one of them needs a path or a chart")
    for index, source in enumerate(sources):
        for where, file in _files(source):
            if (found := referred_source(file)) is not None and found[0] not in refs:
                known = f"; there are {', '.join(refs)}" if refs else ""
                raise ValueError(
                    f"[{index}].{where}: {file!r} refers to source {found[0]!r}, which no source has as its ref{known}"
                )
    return sources


def _files(source: ApplicationSource) -> Iterator[tuple[str, str]]:
    if source.helm:
        for index, file in enumerate(source.helm.value_files):
            yield f"helm.valueFiles[{index}]", file
        for index, parameter in enumerate(source.helm.file_parameters):
            yield f"helm.fileParameters[{index}].path", parameter.path
