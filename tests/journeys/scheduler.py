"""This will run the site's schedule faster than a site does, as a journey waits for many passes.

python -m tests.journeys.scheduler
"""

import threading
from dataclasses import replace

import django

from marketplace import scheduler
from marketplace.schedule import PASSES

#: what is often enough on a site is so here
TIMES_FASTER, OFTEN_S = 5, 0.2


def main() -> None:
    """Run until it is killed."""
    django.setup()
    hurried = [replace(one, every_s=max(OFTEN_S, one.every_s / TIMES_FASTER)) for one in PASSES]
    scheduler.run_forever(threading.Event().wait, hurried)


if __name__ == "__main__":
    main()
