"""This will run the passes that end things as if so many seconds had gone by.

python -m tests.journeys.later 61 7300
python -m tests.journeys.later --unheard 61     (as if no machine had reached the site meanwhile)
"""

import sys
from datetime import UTC, datetime, timedelta

import django
from django.db import transaction
from django.utils.module_loading import import_string

PASSES = ("expire", "sweep", "charge")


def main() -> None:
    """Run them once for each argument, which counts the seconds from now."""
    django.setup()
    unheard = sys.argv[1] == "--unheard"
    began = datetime.now(tz=UTC)
    try:
        for seconds in map(int, sys.argv[2 if unheard else 1 :]):
            now = began + timedelta(seconds=seconds)
            # At once: the scheduler that runs beside this writes down that it is there now, and
            # a sweep that was away for so long spares everybody.
            with transaction.atomic():
                _attend(began if unheard else now)
                _run_passes(now)
    finally:
        _attend(datetime.now(tz=UTC))


def _attend(until: datetime) -> None:
    """Write down that the site and the sweep were there all the time until then."""
    from marketplace.machines.actions.attend import SITE
    from marketplace.machines.models import Attendance

    for name in (SITE, "sweep"):
        told = {"seen_at": until, "back_at": None}
        Attendance.objects.update_or_create(name=name, defaults=told)


def _run_passes(now: datetime) -> None:
    from marketplace.schedule import PASSES as SCHEDULE

    for name in PASSES:
        (entry,) = (one for one in SCHEDULE if one.name == name)
        import_string(entry.path)(now=now)


if __name__ == "__main__":
    main()
