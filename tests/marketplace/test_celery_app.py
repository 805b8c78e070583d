"""Celery's processes write the same log lines as the site's."""

import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
#: what every worker and the clock do before their first task
PROGRAM = """
import logging
from marketplace.celery_app import app
app.loader.import_default_modules()
app.log.setup(loglevel="WARNING")
logging.getLogger("marketplace.rentals").info("Rental started", extra={"rental_id": 7})
logging.getLogger("celery.worker.strategy").info("Task received")
"""


def test_a_worker_keeps_the_ids_and_says_nothing_about_each_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=TREE, capture_output=True, text=True, check=True
    )

    assert "INFO marketplace.rentals Rental started rental_id='7'" in done.stderr
    assert "Task received" not in done.stderr
