"""Start the registry: `python -m app_registry`."""

import sys

from app_registry.service import run
from app_registry.settings import InvalidSetting, Settings
from outrider import process
from outrider.identity.credentials import InvalidCredentials


def main() -> int:
    """Run until asked to stop. Return 2 when a setting is wrong."""
    process.configure_logging()
    process.collect_rarely()
    try:
        return process.run(run(Settings.from_environment()))
    except (InvalidSetting, InvalidCredentials) as error:
        sys.stderr.write(f"app-registry: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
