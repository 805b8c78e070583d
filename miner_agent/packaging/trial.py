"""This will take back a version on trial that does not work, though its upgrade was killed.

The service runs it before each of its starts, from the version before. What is on trial ends that
by itself once it has heard its marketplace; what was started too often until then cannot work here.
"""

import os
import sys
from pathlib import Path

from miner_agent import journal_schema, settings
from miner_agent.home import JOURNAL
from miner_agent.packaging.versions import FORMER, STARTS, end_trial, name, named

#: as long as an upgrade waits, for a service that waits 5 s before it starts again
STARTS_MOST = 24


def count_start(root: Path, *, can_go_back: bool) -> bool:
    """Count one more start of what is on trial; say whether the version before is back."""
    former = named(root, FORMER)
    if former is None or not can_go_back:
        return False
    starts = root / STARTS
    with starts.open("ab") as file:
        file.write(b".")
    if starts.stat().st_size <= STARTS_MOST:
        return False
    name(root, former)
    end_trial(root)
    return True


def main() -> None:
    """Count the start that is about to be."""
    journal = settings.read(os.environ).home / JOURNAL
    can_go_back = not journal.exists() or journal_schema.can_read(journal)
    if count_start(Path(sys.prefix).resolve().parent.parent, can_go_back=can_go_back):
        sys.stderr.write("The version before runs again: the new one did not work.\n")


if __name__ == "__main__":
    main()
