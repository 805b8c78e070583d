"""This will run the schedule's passes as Celery tasks in production."""

import os
from datetime import UTC, datetime

from celery import Celery
from django.utils.module_loading import import_string

from marketplace.schedule import PASSES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

app = Celery("marketplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    entry.name: {
        "task": "berth.pass",
        "schedule": entry.every_s,
        "args": (entry.path,),
        # A pass that waited longer than its period is stale: the next one does its work.
        "options": {"expires": max(1, entry.every_s)},
    }
    for entry in PASSES
}
PATHS = frozenset(entry.path for entry in PASSES)


@app.task(name="berth.pass", ignore_result=True, soft_time_limit=120, time_limit=150)
def run_pass(path: str) -> None:
    """Run one pass of the schedule; any other path is refused."""
    if path not in PATHS:
        raise ValueError(f"{path} is not a pass of the schedule.")
    import_string(path)(now=datetime.now(tz=UTC))
