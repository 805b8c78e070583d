"""This will run the passes that end things as if so many seconds had gone by.

python -m tests.journeys.later 61 7300
"""

import sys
from datetime import UTC, datetime, timedelta

import django
from django.utils.module_loading import import_string

PASSES = ("expire", "sweep", "charge")


def main() -> None:
    """Run them once for each argument, which counts the seconds from now."""
    django.setup()
    from marketplace.schedule import PASSES as SCHEDULE

    for seconds in map(int, sys.argv[1:]):
        now = datetime.now(tz=UTC) + timedelta(seconds=seconds)
        for name in PASSES:
            (entry,) = (one for one in SCHEDULE if one.name == name)
            import_string(entry.path)(now=now)


if __name__ == "__main__":
    main()
