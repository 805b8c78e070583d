"""This will fetch what anyone may read of an epoch, without a key, bounded and with a deadline."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from protocol import paths
from protocol.receipts import SignedInterval
from protocol.validator import EpochRecord, SignedScoreReport, SignedVerdict

CALL_S_MAX = 60.0
#: a record of 10,000 GPU machines takes 34 MB
REPLY_BYTES_MAX = 67_108_864
REPORTS_MAX = 500
Reply = TypeVar("Reply", bound=BaseModel)


class Unreadable(Exception):
    """What was published cannot be had or is malformed; the message says what."""


class _Loose(BaseModel):
    """A reply of which only some fields matter here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Epoch(_Loose):
    epoch: int
    record_sha256: str


class _Line(_Loose):
    number: int


class _Lines(_Loose):
    items: tuple[_Line, ...]


class Evidence(_Loose):
    """What was signed about one machine, as far as the record names it."""

    verdicts: tuple[SignedVerdict, ...]
    intervals: tuple[SignedInterval, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A closed epoch's record with the bytes that its hash is of."""

    content: bytes
    epoch: EpochRecord
    #: that the marketplace publishes
    told_sha256: str


class Publications:
    """What one marketplace publishes of its epochs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=CALL_S_MAX, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def record(self, epoch: str) -> Record:
        """Return the record of a closed epoch; ``newest``: of the newest.

        :raises Unreadable: as everything here.
        """
        about = self._read(paths.SCORES.format(epoch=epoch), _Epoch)
        if not about.record_sha256:
            raise Unreadable(f"Epoch {about.epoch} is not closed yet; ask again later.")
        content = self._get(paths.SCORES_RECORD.format(epoch=about.epoch))
        try:
            record = EpochRecord.model_validate_json(content)
        except ValidationError as error:
            raise Unreadable("The epoch's record is malformed.") from error
        if record.epoch != about.epoch:
            raise Unreadable("The marketplace gave the record of another epoch.")
        return Record(content=content, epoch=record, told_sha256=about.record_sha256)

    def reports(self, epoch: int) -> tuple[SignedScoreReport, ...]:
        """Return the reports that validators signed on a closed epoch, oldest first."""
        lines = self._read(paths.SCORES_REPORTS.format(epoch=epoch), _Lines).items
        return tuple(
            self._read(
                paths.SCORES_REPORT.format(epoch=epoch, number=line.number), SignedScoreReport
            )
            for line in lines[:REPORTS_MAX]
        )

    def evidence(self, epoch: int, machine_id: UUID) -> Evidence:
        """Return what was signed about one machine."""
        path = paths.SCORES_EVIDENCE.format(epoch=epoch, machine_id=machine_id)
        return self._read(path, Evidence)

    def _read(self, path: str, kind: type[Reply]) -> Reply:
        try:
            return kind.model_validate_json(self._get(path))
        except ValidationError as error:
            raise Unreadable(f"What is at {path} is malformed.") from error

    def _get(self, path: str) -> bytes:
        content = bytearray()
        try:
            with self._client.stream("GET", path) as reply:
                for part in reply.iter_bytes():
                    content += part
                    if len(content) > REPLY_BYTES_MAX:
                        raise Unreadable(f"What is at {path} is too long.")
        except httpx.HTTPError as error:
            raise Unreadable(f"No marketplace answers at {self._url}; --url names one.") from error
        if reply.status_code == httpx.codes.NOT_FOUND:
            closed = "an epoch is there once it is closed"
            raise Unreadable(f"The marketplace publishes nothing at {path}; {closed}.")
        if not reply.is_success:
            raise Unreadable(f"The marketplace answered {reply.status_code} at {path}.")
        return bytes(content)
