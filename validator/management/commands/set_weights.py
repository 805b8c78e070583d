"""This will set the weights that follow from the epoch's public record, or show them."""

import asyncio
import json
from argparse import ArgumentParser
from collections.abc import Mapping
from fractions import Fraction

from django.core.management.base import BaseCommand, CommandError

from validator import clock, env, identity
from validator.chain.interface import FINE, Report, Submission
from validator.chain.open import open_chain
from validator.domain.scoring import score
from validator.domain.weights import share_by_hotkey
from validator.management.epoch import fetch_epoch
from validator.management.quiet import quiet
from validator.market import MarketRefused, MarketUnreachable


class Command(BaseCommand):
    help = (
        "Compute every miner's share from the marketplace's epoch record and set it as weights."
        " Run it by a timer; exit code 0: set, committed, too soon or dry run."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show, send nothing")
        parser.add_argument("--network", help="memory, finney, test or a ws:// address")
        parser.add_argument("--netuid", type=int)
        parser.add_argument("--version-key", type=int, default=0)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *args: object,
        dry_run: bool,
        network: str | None,
        netuid: int | None,
        version_key: int,
        json: bool,
        **options: object,
    ) -> None:
        quiet()
        try:
            configuration = env.read()
            keypair = identity.load_hotkey(configuration)
            epoch = asyncio.run(fetch_epoch(configuration, keypair))
        except (env.SettingWrong, identity.IdentityMissing) as error:
            raise CommandError(str(error)) from error
        except (MarketRefused, MarketUnreachable) as error:
            raise CommandError(f"{error} Nothing was set.") from error
        shares = share_by_hotkey(score(epoch))
        chain = open_chain(
            configuration,
            network=network or configuration.network,
            netuid=configuration.netuid if netuid is None else netuid,
            now_ms=clock.now_ms,
        )
        report = chain.submit(
            Submission(
                share_by_hotkey=shares,
                keypair=keypair,
                burn=configuration.burn,
                version_key=version_key,
                dry_run=dry_run,
            )
        )
        self.stdout.write(
            as_json(epoch.epoch, shares, report) if json else as_text(epoch.epoch, shares, report)
        )
        if report.outcome not in FINE:
            raise SystemExit(1)


def as_json(epoch: int, shares: Mapping[str, Fraction], report: Report) -> str:
    """Return the report as one JSON object; shares in millionths."""
    planned = report.plan
    content = {
        "epoch": epoch,
        "outcome": report.outcome.value,
        "detail": report.detail,
        "block": report.block,
        "weights": {} if planned is None else planned.weight_by_uid,
        "shares_ppm": {}
        if planned is None
        else {uid: int(share * 1_000_000) for uid, share in sorted(planned.share_by_uid.items())},
        "shares_ppm_by_hotkey": {
            hotkey: int(share * 1_000_000) for hotkey, share in shares.items()
        },
        "missing": [] if planned is None else list(planned.missing),
    }
    return json.dumps(content)


def as_text(epoch: int, shares: Mapping[str, Fraction], report: Report) -> str:
    """Return the report as lines for people."""
    outcome = report.outcome.value.replace("_", " ").capitalize()
    lines = [f"Epoch {epoch}. {outcome}: {report.detail}".rstrip(" :")]
    lines += [f"  scored: {hotkey}  {float(share):9.4%}" for hotkey, share in shares.items()]
    if report.plan is not None:
        weights = report.plan.weight_by_uid
        for uid, share in sorted(report.plan.share_by_uid.items()):
            lines.append(f"  uid {uid:>4}  {float(share):9.4%}  weight {weights.get(uid, 0)}")
        lines.extend(f"  not on the subnet: {hotkey}" for hotkey in report.plan.missing)
    return "\n".join(lines)
