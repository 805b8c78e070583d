"""This will recompute an epoch's scores from its public record, bit for bit."""

import asyncio
import json
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from pydantic import ValidationError

from protocol.message import canonical_bytes
from protocol.validator import EpochRecord, ScoreReport
from validator import env, identity
from validator.domain.scoring import score
from validator.management.epoch import fetch_epoch
from validator.management.quiet import quiet
from validator.market import MarketRefused, MarketUnreachable

RECORD_BYTES_MAX = 33_554_432


class Command(BaseCommand):
    help = (
        "Recompute the scores of an epoch record and print the report. With --compare, exit 1 when"
        " a published report differs in one bit."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--record", type=Path, help="a stored epoch record; else the current")
        parser.add_argument("--compare", type=Path, help="a published score report (JSON)")

    def handle(
        self, *args: object, record: Path | None, compare: Path | None, **options: object
    ) -> None:
        quiet()
        try:
            epoch = _stored(record) if record else _current()
            published = None if compare is None else _published(compare)
        except (OSError, ValidationError) as error:
            raise CommandError(f"The file cannot be read: {error}") from error
        scores = score(epoch)
        report = ScoreReport(
            validator_hotkey="" if published is None else published.validator_hotkey,
            epoch=epoch.epoch,
            scores=scores,
        )
        self.stdout.write(json.dumps(report.model_dump(mode="json"), indent=1))
        if published is not None and canonical_bytes(published) != canonical_bytes(report):
            raise CommandError("The published report differs from the recomputed one.")


def _current() -> EpochRecord:
    try:
        configuration = env.read()
        keypair = identity.load_hotkey(configuration)
        return asyncio.run(fetch_epoch(configuration, keypair))
    except (env.SettingWrong, identity.IdentityMissing) as error:
        raise CommandError(str(error)) from error
    except (MarketRefused, MarketUnreachable) as error:
        raise CommandError(str(error)) from error


def _stored(path: Path) -> EpochRecord:
    return EpochRecord.model_validate_json(_read(path))


def _published(path: Path) -> ScoreReport:
    return ScoreReport.model_validate_json(_read(path))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(RECORD_BYTES_MAX)
