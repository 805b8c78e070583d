"""This will run every periodic pass until it is told to stop."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from marketplace import scheduler


class Command(BaseCommand):
    help = "Run the periodic passes in this process (the embedded site's scheduler)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Loop until SIGTERM or SIGINT."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        scheduler.run_forever(lambda seconds: stop.wait(seconds))
