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
from validator.published import Publications, Unreadable
from validator.recomputation import as_text, recompute

NEWEST = "newest"
RECORD_BYTES_MAX = 67_108_864


class Command(BaseCommand):
    help = (
        "Recompute an epoch's scores. With --epoch, from what the marketplace publishes, without"
        " any key: exit 1 when what a validator signed differs in one bit. With --record, from a"
        " file. With neither, of the newest epoch as a validator is told of it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--epoch", help="the number of a closed epoch, or newest")
        parser.add_argument("--url", help="of the marketplace; else BERTH_MARKETPLACE_URL")
        parser.add_argument(
            "--check-evidence",
            action="store_true",
            help="with --epoch: fetch what was signed about every machine, and check that too",
        )
        parser.add_argument("--record", type=Path, help="a stored epoch record")
        parser.add_argument("--compare", type=Path, help="a published score report (JSON)")

    def handle(
        self,
        *args: object,
        epoch: str | None,
        url: str | None,
        check_evidence: bool,
        record: Path | None,
        compare: Path | None,
        **options: object,
    ) -> None:
        quiet()
        if epoch is None:
            self._of_one_record(record, compare)
            return
        if epoch != NEWEST and not epoch.isdecimal():
            raise CommandError("--epoch takes the number of a closed epoch, or newest.")
        try:
            with Publications(url or env.read().marketplace_url) as publications:
                found = recompute(publications, epoch, check_evidence=check_evidence)
        except (env.SettingWrong, Unreadable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(found))
        if not found.holds:
            raise CommandError("What was published does not follow from the record.")

    def _of_one_record(self, record: Path | None, compare: Path | None) -> None:
        try:
            epoch = _stored(record) if record else _current()
            published = None if compare is None else _published(compare)
        except OSError as error:
            sentence = f"{error.filename} cannot be read: {error.strerror}."
            raise CommandError(sentence) from error
        scores = score(epoch)
        report = ScoreReport(
            validator_hotkey="" if published is None else published.validator_hotkey,
            epoch=epoch.epoch,
            record_sha256="" if published is None else published.record_sha256,
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
    try:
        return EpochRecord.model_validate_json(_read(path))
    except ValidationError as error:
        raise CommandError(f"{path} holds no epoch record.") from error


def _published(path: Path) -> ScoreReport:
    try:
        return ScoreReport.model_validate_json(_read(path))
    except ValidationError as error:
        raise CommandError(f"{path} holds no score report.") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(RECORD_BYTES_MAX)
