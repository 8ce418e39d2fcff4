"""A process that writes a replica as fast as it can, until somebody kills it: `python -m ... PATH`."""

import asyncio
import itertools
import sys
from pathlib import Path

from tests.unit.edge_replica.stored import APPS, bundle

from edge_agent.journal import Journal
from edge_agent.replica import Bundles, Holdings, Progress, opened
from outrider import delta
from outrider.messages import Desired, Generation

MOVED_EVERY = 3
REBUILT_EVERY = 11


def say(counter: int, what: str) -> None:
    sys.stdout.write(f"{counter} {what}\n")
    sys.stdout.flush()


def main(path: Path) -> None:
    """Write for ever; say each number whose record is stored."""
    with opened(path) as database:
        bundles = Bundles(database)
        holdings, progress, journal = Holdings(database, bundles), Progress(database), Journal(database)
        say(holdings.highest.counter, "opened")
        for counter in itertools.count(holdings.highest.counter + 1):
            app, data = APPS[counter % 5], bundle(counter % 7)
            record = Desired(b"u" * 16, 1, counter, {"n": counter}, "r", delta.digest(data))
            holdings.accept(app, record, data, Generation(1, counter))
            say(counter, "stored")
            asyncio.run(progress.put(app, {"n": counter}, (), {"core": counter}))
            journal.append(counter, [(app, "drift", {"n": counter})])
            database.look_after()
            if counter % MOVED_EVERY == 0:
                # As it is a moment after the last one: here there is no pause.
                database.checkpoint()
            if counter % REBUILT_EVERY == 0:
                # As if it were found damaged at this moment; more often than a medium may be.
                database._home._rebuilt_at_s.clear()
                database._home.rebuild("for a test")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
