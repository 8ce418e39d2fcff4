"""Start the renderer: `python -m repo_renderer`."""

import sys

from outrider import process
from outrider.identity.credentials import InvalidCredentials
from repo_renderer.service import run
from repo_renderer.settings import InvalidSetting, Settings


def main() -> int:
    """Run until asked to stop. Return 2 when a setting is wrong."""
    process.configure_logging()
    try:
        settings = Settings.from_environment()
        return process.run(run(settings))
    except (InvalidSetting, InvalidCredentials) as error:
        sys.stderr.write(f"repo-renderer: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
