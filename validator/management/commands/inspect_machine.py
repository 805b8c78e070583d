"""This will look at one machine once and tell what was found, for operators and hosts."""

import asyncio
import json
import os
import time
from argparse import ArgumentParser
from collections.abc import Mapping

from django.core.management.base import BaseCommand, CommandError

from protocol.validator import Target, VerdictState
from validator import clock, env, identity
from validator.domain.verdict import Look, compare, decide
from validator.inspection import report
from validator.looks.pool import Looks
from validator.looks.worker import LooksBroken
from validator.management.quiet import quiet
from validator.management.target import Asked, NotFound, as_new, find
from validator.ssh import credential

NOT_VERIFIED, NOT_LOOKED = 1, 2
HELP = (
    "Log in to one machine, read its facts, demand a proof, and tell what was found. Exit status:"
    f" 0 verified, {NOT_VERIFIED} not verified, {NOT_LOOKED} not looked at."
)


class Command(BaseCommand):
    help = HELP
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("host", help="address; or a machine's id or address on the marketplace")
        parser.add_argument("port", nargs="?", help="control port; none: the marketplace knows it")
        parser.add_argument(
            "key", nargs="?", help="machine key: 64 hex digits or an ssh-ed25519 line"
        )
        parser.add_argument("--cpus", type=int, default=1, help="CPUs the proof may use")
        parser.add_argument("--memory-bytes", type=int, default=256 * 1024 * 1024)
        parser.add_argument("--short", action="store_true", help="a few lines")
        parser.add_argument("--json", action="store_true", help="the verdict, for programs")

    def handle(
        self,
        *args: object,
        host: str,
        port: str | None,
        key: str | None,
        cpus: int,
        memory_bytes: int,
        short: bool,
        **options: object,
    ) -> None:
        quiet()
        try:
            configuration = env.read()
            who = identity.load(configuration)
            asked = Asked(host, port, key, cpus=cpus, memory_bytes=memory_bytes)
            target = asyncio.run(find(asked, configuration, who.keypair))
        except (env.SettingWrong, identity.IdentityMissing, NotFound) as error:
            raise CommandError(str(error), returncode=NOT_LOOKED) from error
        try:
            look, took_ms = asyncio.run(_look(configuration, who, as_new(target)))
        except LooksBroken as error:
            raise CommandError(str(error), returncode=NOT_LOOKED) from error
        now_ms = clock.now_ms()
        verdict = decide(hotkey=who.hotkey, target=target, look=look, now_ms=now_ms)
        if options["json"]:
            self.stdout.write(json.dumps(verdict.model_dump(mode="json"), indent=1))
        else:
            findings = compare(target, look, now_ms)
            told = report.Report(target, look, verdict, findings, took_ms)
            colour = self._has_colour(options)
            self.stdout.write(report.text(told, colour=colour, short=short), ending="")
        if verdict.state is not VerdictState.VERIFIED:
            raise SystemExit(NOT_VERIFIED)

    def _has_colour(self, options: Mapping[str, object]) -> bool:
        """Say whether it goes to a terminal that shows colours; Source: https://no-color.org."""
        if options.get("no_color") or os.environ.get("NO_COLOR"):
            return False
        return bool(options.get("force_color")) or (
            self.stdout.isatty() and os.environ.get("TERM") != "dumb"
        )


async def _look(
    configuration: env.Configuration, who: identity.Identity, target: Target
) -> tuple[Look, int]:
    """Return what the machine showed, and the milliseconds that it took."""
    async with Looks(
        log_in=credential.maker(who.ssh_private_key, now_s=clock.now_s),
        allow_private=configuration.allow_private,
        proof_memory_bytes_max=configuration.proof_memory_bytes_max,
        processes=1,
    ) as looks:
        began = time.monotonic()
        look = await looks.look(target)
        return look, int((time.monotonic() - began) * 1000)
