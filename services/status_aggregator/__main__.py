"""Start the aggregator: `python -m status_aggregator`."""

import sys

from outrider import process
from outrider.identity.credentials import InvalidCredentials
from status_aggregator.service import run
from status_aggregator.settings import InvalidSetting, Settings


def main() -> int:
    """Run until asked to stop. Return 2 when a setting is wrong."""
    process.configure_logging()
    process.collect_rarely()
    try:
        return process.run(run(Settings.from_environment()))
    except (InvalidSetting, InvalidCredentials) as error:
        sys.stderr.write(f"status-aggregator: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
