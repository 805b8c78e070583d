"""This will check signed verdicts of a file, with nothing but their validators' public keys."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from pydantic import ValidationError

from protocol import hotkey
from protocol.message import canonical_bytes
from protocol.validator import SignedVerdict

FILE_BYTES_MAX = 33_554_432


class Command(BaseCommand):
    help = (
        "Check the signatures of a machine's verdicts, as /api/v1/machines/ID/verdicts gives them."
        " Exit 1 when one is not its validator's. Needs no key and no network."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--machine", type=UUID, help="all must be about this machine")

    def handle(self, *args: object, file: Path, machine: UUID | None, **options: object) -> None:
        verdicts = _read(file)
        if not verdicts:
            raise CommandError(f"There is no verdict in {file}: nobody has looked yet.")
        wrong = 0
        for signed in verdicts:
            verdict = signed.verdict
            content = canonical_bytes(verdict)
            good = hotkey.verify(verdict.validator_hotkey, content, signed.signature)
            good = good and machine in (None, verdict.machine_id)
            wrong += not good
            at = datetime.fromtimestamp(verdict.checked_at_ms / 1000, UTC)
            self.stdout.write(
                f"{'ok   ' if good else 'WRONG'} {at:%Y-%m-%d %H:%M:%S} UTC {verdict.state.value}"
                f" ({verdict.look.value}) machine {verdict.machine_id}"
                f" by {verdict.validator_hotkey}"
            )
        if wrong:
            raise CommandError(f"{wrong} of {len(verdicts)} verdicts are not what they claim.")
        self.stdout.write(f"All {len(verdicts)} verdicts are signed by the hotkeys they name.")


def _read(file: Path) -> list[SignedVerdict]:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise CommandError(f"{file} is larger than {FILE_BYTES_MAX} bytes.")
        told = json.loads(file.read_bytes())
        rows = told["items"] if isinstance(told, dict) else told
        return [SignedVerdict.model_validate(row) for row in rows]
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise CommandError(f"{file} holds no signed verdicts.") from error
