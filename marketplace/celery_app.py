"""This will run the passes as Celery tasks in production, each lane from a queue of its own."""

import os
from datetime import UTC, datetime

from celery import Celery
from celery.signals import setup_logging

from marketplace.schedule import PASSES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

#: between the exception that a late pass gets and its process's end
GRACE_S = 30

app = Celery("marketplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    entry.name: {
        "task": "berth.pass",
        "schedule": entry.every_s,
        "args": (entry.name,),
        "options": {
            # A host's tarpit fills the queue of its own lane only (docker-compose.yml).
            "queue": entry.lane,
            # A pass that waited longer than its period is stale: the next one does its work.
            "expires": max(1, entry.every_s),
            "soft_time_limit": entry.limit_s,
            "time_limit": entry.limit_s + GRACE_S,
        },
    }
    for entry in PASSES
}
BY_NAME = {entry.name: entry for entry in PASSES}


@setup_logging.connect
def keep_log_lines(**_: object) -> None:
    """Leave the log as the settings have it: Celery's own format would drop the ids."""


@app.task(name="berth.pass", ignore_result=True)
def run_pass(name: str) -> None:
    """Run one pass of the schedule, unless it runs already; any other name is refused."""
    if name not in BY_NAME:
        raise ValueError(f"{name} is not a pass of the schedule.")
    # Not above: it notes rows, and Celery reads this module before Django knows its apps.
    from marketplace import passes

    passes.run(BY_NAME[name], now=datetime.now(tz=UTC))
