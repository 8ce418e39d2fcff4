"""How a command ends when it can't do what was asked: one clear sentence, exit status 1."""

import sys

import click

from outrider_cli.terminal import visible_line


class Failed(click.ClickException):
    """Refused, or not possible: the message is a sentence for the person who typed the command."""

    exit_code = 1

    def format_message(self) -> str:
        """Return the sentence as one line that can't steer a terminal."""
        return visible_line(self.message)


class Refused(Failed):
    """The hub won't do it as it was asked; asking for something else is worth trying."""


class Reported(Failed):
    """The outcome has been printed; only the exit status is left to say that a part of it failed."""

    def __init__(self) -> None:
        super().__init__("")

    def show(self, file: object = None) -> None:
        """Print nothing more."""


def note(sentence: str) -> None:
    """Tell the person something beside the result, on standard error."""
    sys.stderr.write(visible_line(sentence) + "\n")
    sys.stderr.flush()
