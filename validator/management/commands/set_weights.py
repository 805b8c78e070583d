"""This will set the weights that follow from the epoch's public record, or show them."""

import asyncio
from argparse import ArgumentParser

import bittensor_core
from django.core.management.base import BaseCommand, CommandError

from validator import clock, deadline, env, identity
from validator.chain.open import open_chain
from validator.domain.scoring import score
from validator.domain.submission import EXIT_CODES, Outcome
from validator.domain.weights import FleetFailed, check_fleet, share_by_hotkey
from validator.env import Configuration
from validator.management.epoch import fetch_epoch
from validator.management.quiet import quiet
from validator.management.weights_report import as_json, as_text
from validator.market import MarketRefused, MarketUnreachable
from validator.submit import Scores, ScoresMissing, Wish, submit

TIMEOUT_S = 180.0
TIMEOUT_S_MAX = 3600.0
#: how long after its deadline an orderly end may take; then the process is ended
GRACE_S = 15.0
#: the marketplace is asked before the chain's deadline begins
FETCH_S_MAX = 60.0


class Command(BaseCommand):
    help = (
        "Compute every miner's share from the marketplace's epoch record and set it as weights."
        " Run it by a timer. Exit codes: 0 set, committed, too soon or dry run; 1 wrong setting or"
        " ended by its own watch; 3 the operator must act; 4 rejected; 5 unreachable, nothing was"
        " set; 6 unknown, the next run finds out."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show, send nothing")
        parser.add_argument("--network", help="memory, finney, test or a ws:// address")
        parser.add_argument("--netuid", type=int)
        parser.add_argument("--version-key", type=int, help="BERTH_VALIDATOR_VERSION_KEY")
        parser.add_argument(
            "--timeout", type=float, default=TIMEOUT_S, help="seconds for the chain; default 180"
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="though a tempo has not passed, and though an earlier attempt may still land",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *args: object,
        dry_run: bool,
        network: str | None,
        netuid: int | None,
        version_key: int | None,
        timeout: float,
        force: bool,
        json: bool,
        **options: object,
    ) -> None:
        quiet()
        if not 0 < timeout <= TIMEOUT_S_MAX:
            raise CommandError(f"--timeout is seconds, more than 0 and at most {TIMEOUT_S_MAX:g}.")
        try:
            configuration = env.read()
            keypair = identity.load_hotkey(configuration)
        except (env.SettingWrong, identity.IdentityMissing) as error:
            raise CommandError(str(error)) from error
        wish = Wish(
            network=network or configuration.network,
            netuid=configuration.netuid if netuid is None else netuid,
            keypair=keypair,
            burn=configuration.burn,
            version_key=configuration.version_key if version_key is None else version_key,
            timeout_s=timeout,
            force=force,
        )
        chain = open_chain(
            configuration,
            network=wish.network,
            netuid=wish.netuid,
            timeout_s=timeout,
            now_ms=clock.now_ms,
        )
        with deadline.ended_after(FETCH_S_MAX + timeout + GRACE_S):
            report = submit(
                wish,
                chain=chain,
                fetch=lambda: _scores(configuration, keypair, also_open=dry_run),
                now=clock.now,
                dry_run=dry_run,
            )
        self.stdout.write(as_json(report) if json else as_text(report))
        code = EXIT_CODES[report.outcome]
        if code:
            raise SystemExit(code)


def _scores(
    configuration: Configuration, keypair: bittensor_core.Keypair, *, also_open: bool
) -> Scores:
    """Return the shares of the newest closed epoch; ``also_open``: else of the one that goes on.

    :raises ScoresMissing: when the marketplace tells none, or none that are fit to be set.
    """
    try:
        record = asyncio.run(fetch_epoch(configuration, keypair))
        if record.as_of_ms < record.ends_at_ms and not also_open:
            raise ScoresMissing(
                Outcome.TOO_SOON, f"No epoch is closed yet: epoch {record.epoch} goes on."
            )
        check_fleet(record)
    except (MarketRefused, MarketUnreachable) as error:
        raise ScoresMissing(Outcome.UNREACHABLE, f"{error} Nothing was set.") from error
    except FleetFailed as error:
        raise ScoresMissing(Outcome.NOT_READY, f"{error} Nothing was set.") from error
    return Scores(record.epoch, share_by_hotkey(score(record)))
