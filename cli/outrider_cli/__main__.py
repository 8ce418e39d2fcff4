"""Entry point of the `outrider` command."""


def main() -> None:
    """Run the command line."""
