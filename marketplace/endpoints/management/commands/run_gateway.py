"""This will run a gateway until it is told to stop."""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.endpoints.actions.register_gateway import KeyInUse, leave
from marketplace.endpoints.gateway import running


class Command(BaseCommand):
    help = "Lead callers of endpoints to their replicas."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Read where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="an address of this machine")
        parser.add_argument("--port", type=int, default=8010)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT."""
        who = running.identity(Path(settings.GATEWAY_KEY))
        try:
            running.take_key(who)
        except KeyInUse as problem:
            raise CommandError(str(problem)) from None
        # The server gives the signal back when it has ended, and it would end us before we left.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._serve(who, options)
        finally:
            leave(process=who.process)

    def _serve(self, who: running.Identity, options: Mapping[str, Any]) -> None:
        self.stdout.write(f"Gateway {who.public} at {options['host']}:{options['port']}")
        serving = running.run(
            who=who,
            host=options["host"],
            port=options["port"],
            public_only=not settings.PRIVATE_MACHINES,
        )
        # Half the time that a token takes (benchmarks/gateway.py).
        with (
            suppress(KeyboardInterrupt),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
        ):
            loop.run(serving)
