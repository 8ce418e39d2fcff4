"""A cluster's name as an argument of commands."""

from __future__ import annotations

import click

from outrider.names import InvalidName, cluster_name


def checked_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return a cluster's name; a usage error if it can't be one."""
    try:
        return cluster_name(value)
    except InvalidName as error:
        raise click.BadParameter(str(error)) from error
