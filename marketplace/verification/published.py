"""This will keep and find what anyone may read of an epoch: its closed record and its scores."""

import hashlib
import json
import logging
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import Count, Max, Sum

from marketplace.domain.problem import Refused
from marketplace.verification.models import ClosedEpoch, EpochScore, SignedReport, VerdictRecord
from protocol.message import canonical_bytes
from protocol.validator import EpochRecord, MachineRecord, SignedScoreReport, SignedVerdict

logger = logging.getLogger(__name__)
MILLION = 1_000_000
#: in addresses, the newest closed epoch
NEWEST = "newest"
#: machines of one page
SCORES_AT_ONCE = 100
#: miners of the list that stands before them
MINERS_MOST = 50
#: reports of one epoch on a page: of 100 validators, with some that changed their mind
REPORTS_MOST = 500
#: of a packed record, unpacked at once
PIECE_BYTES = 16_384
#: epochs whose sums are remembered
SUMS_MOST = 64
#: where a machine begins in a record, whose names are sorted; no text holds a quote unescaped
_MACHINE = b'{"%s":' % min(MachineRecord.model_fields).encode()


class EpochUnknown(Refused):
    code = "epoch_unknown"
    status = 404
    sentence = "There is no record of this epoch; the newest is at /api/v1/scores/newest."


class PlaceInvalid(Refused):
    code = "cursor_invalid"
    status = 422
    sentence = "This page address is broken; start the search again."


@dataclass(frozen=True, slots=True)
class Judged:
    """What one validator said of an epoch."""

    validator_id: UUID
    hotkey: str
    name: str
    machines: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class Miner:
    #: ss58; empty: machines of hosts that are not on chain
    hotkey: str
    machines: int
    points_micro: int
    #: of the points of all that are on chain: its weight before anything is burned
    share_ppm: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of scores begins: behind this machine."""

    points_micro: int
    machine_id: UUID

    def encode(self) -> str:
        """Return it as it stands in an address."""
        return f"{self.points_micro}.{self.machine_id.hex}"

    @classmethod
    def decode(cls, text: str) -> "Place":
        """Return the place that ``encode`` wrote.

        :raises PlaceInvalid: when it wrote no such text.
        """
        found = re.fullmatch(r"([0-9]{1,18})\.([0-9a-f]{32})", text)
        if found is None:
            raise PlaceInvalid
        return cls(points_micro=int(found[1]), machine_id=UUID(hex=found[2]))


@dataclass(frozen=True, slots=True)
class Sums:
    """What is summed over all scores of an epoch."""

    judges: tuple[Judged, ...]
    #: by the word of the first of them
    miners: tuple[Miner, ...]

    @property
    def by(self) -> Judged | None:
        """Whose scores are shown; None: nobody's yet."""
        return self.judges[0] if self.judges else None

    @classmethod
    def of(cls, epoch: int) -> "Sums":
        """Return it as it is now."""
        found = judges(epoch)
        return cls(judges=found, miners=miners(epoch, found[0].validator_id) if found else ())


@dataclass(frozen=True, slots=True)
class EpochScores:
    """One page of what anyone may see of an epoch."""

    epoch: int
    #: None: the epoch goes on or was never closed
    closed: ClosedEpoch | None
    previous: int | None
    next: int | None
    judges: tuple[Judged, ...]
    #: whose scores the rest shows; None: nobody's yet
    by: Judged | None
    miners: tuple[Miner, ...]
    scores: tuple[EpochScore, ...]
    next_place: Place | None


def scores_of(epoch: int, *, cursor: str = "") -> EpochScores:
    """Return a page of an epoch's scores, by the word of the validator admitted first.

    :raises EpochUnknown: when it is not closed and nobody scored it.
    :raises PlaceInvalid: when ``cursor`` is none of ours.
    """
    behind = Place.decode(cursor) if cursor else None
    closed = ClosedEpoch.objects.filter(epoch=epoch).defer("packed").first()
    sums = (
        Sums.of(epoch) if closed is None else _sums_of_closed(epoch, closed.sha256, *_said(epoch))
    )
    by = sums.by
    if closed is None and by is None:
        raise EpochUnknown
    rows, next_place = ((), None) if by is None else scores(epoch, by.validator_id, behind=behind)
    previous, following = neighbours(epoch)
    return EpochScores(
        epoch=epoch,
        closed=closed,
        previous=previous,
        next=following,
        judges=sums.judges,
        by=by,
        miners=sums.miners,
        scores=rows,
        next_place=next_place,
    )


def _said(epoch: int) -> tuple[int, datetime | None]:
    """Return what changes with every report on a closed epoch that counts."""
    of_it = SignedReport.objects.filter(closed_epoch_id=epoch, validator__admitted=True)
    said = of_it.aggregate(reports=Count("id"), newest=Max("received_at"))
    return said["reports"], said["newest"]


@lru_cache(maxsize=SUMS_MOST)
def _sums_of_closed(epoch: int, sha256: str, reports: int, newest: datetime | None) -> Sums:
    """Return the sums, which are the same as long as record and reports are."""
    return Sums.of(epoch)


def keep(record: EpochRecord, *, now: datetime) -> bool:
    """Keep the record of an epoch that is over; return False where there is one already."""
    content = canonical_bytes(record)
    sha256 = hashlib.sha256(content).hexdigest()
    _, is_new = ClosedEpoch.objects.get_or_create(
        epoch=record.epoch,
        defaults={
            "packed": zlib.compress(content),
            "sha256": sha256,
            "machines": len(record.machines),
            "closed_at": now,
        },
    )
    if is_new:
        logger.info("Epoch closed", extra={"epoch": record.epoch, "sha256": sha256})
    return is_new


def newest_closed() -> int | None:
    """Return the newest closed epoch; None: none was closed yet."""
    newest = ClosedEpoch.objects.aggregate(newest=Max("epoch"))["newest"]
    return None if newest is None else int(newest)


def newest() -> int:
    """Return the newest closed epoch.

    :raises EpochUnknown: when none was closed yet.
    """
    found = newest_closed()
    if found is None:
        raise EpochUnknown("No epoch is closed yet; the first is, some minutes after its end.")
    return found


def known(epoch: int) -> ClosedEpoch:
    """Return a closed epoch without its record.

    :raises EpochUnknown: when it was not closed.
    """
    found = ClosedEpoch.objects.filter(epoch=epoch).defer("packed").first()
    if found is None:
        raise EpochUnknown
    return found


def packed(epoch: int) -> bytes:
    """Return the record of a closed epoch as it is kept: what HTTP calls "deflate".

    :raises EpochUnknown: when it was not closed.
    """
    found = ClosedEpoch.objects.filter(epoch=epoch).values_list("packed", flat=True).first()
    if found is None:
        raise EpochUnknown
    return bytes(found)


async def unpacked(packed: bytes) -> AsyncIterator[bytes]:
    """Yield the record piece by piece: as a whole it is five times as much."""
    unpacking = zlib.decompressobj()
    for at in range(0, len(packed), PIECE_BYTES):
        yield unpacking.decompress(packed[at : at + PIECE_BYTES])
    yield unpacking.flush()


def neighbours(epoch: int) -> tuple[int | None, int | None]:
    """Return the closed epochs before and after this one."""
    before = ClosedEpoch.objects.filter(epoch__lt=epoch).order_by("-epoch")
    after = ClosedEpoch.objects.filter(epoch__gt=epoch).order_by("epoch")
    return (
        before.values_list("epoch", flat=True).first(),
        after.values_list("epoch", flat=True).first(),
    )


def judges(epoch: int) -> tuple[Judged, ...]:
    """Return the admitted validators that scored the epoch, those admitted first at the front."""
    rows = (
        EpochScore.objects.filter(epoch=epoch, validator__admitted=True)
        .values("validator_id", "validator__hotkey", "validator__name")
        .annotate(machines=Count("id"), points=Sum("points_micro"))
        .order_by("validator__admitted_at", "validator_id")
    )
    return tuple(
        Judged(
            validator_id=row["validator_id"],
            hotkey=row["validator__hotkey"],
            name=row["validator__name"],
            machines=row["machines"],
            points_micro=row["points"],
        )
        for row in rows
    )


def miners(epoch: int, validator_id: UUID) -> tuple[Miner, ...]:
    """Return the miners with most points by one validator's word, the best at the front."""
    everyone = EpochScore.objects.filter(epoch=epoch, validator_id=validator_id)
    on_chain = everyone.exclude(miner_hotkey="").aggregate(points=Sum("points_micro"))["points"]
    rows = (
        everyone.values("miner_hotkey")
        .annotate(machines=Count("id"), points=Sum("points_micro"))
        .order_by("-points", "miner_hotkey")[:MINERS_MOST]
    )
    return tuple(
        Miner(
            hotkey=row["miner_hotkey"],
            machines=row["machines"],
            points_micro=row["points"],
            share_ppm=row["points"] * MILLION // on_chain
            if on_chain and row["miner_hotkey"]
            else 0,
        )
        for row in rows
    )


def scores(
    epoch: int, validator_id: UUID, *, behind: Place | None = None
) -> tuple[tuple[EpochScore, ...], Place | None]:
    """Return some machines' scores, the best first, and where the next page begins."""
    rows = EpochScore.objects.filter(epoch=epoch, validator_id=validator_id)
    if behind is not None:
        less = rows.filter(points_micro__lt=behind.points_micro)
        rows = less | rows.filter(
            points_micro=behind.points_micro, machine_id__gt=behind.machine_id
        )
    ordered = rows.select_related("machine").order_by("-points_micro", "machine_id")
    found = tuple(ordered[: SCORES_AT_ONCE + 1])
    page = found[:SCORES_AT_ONCE]
    last = page[-1] if len(found) > SCORES_AT_ONCE else None
    return page, None if last is None else Place(last.points_micro, last.machine_id)


def reports(epoch: int, *, after: int = 0) -> tuple[tuple[SignedReport, ...], int | None]:
    """Return reports that validators signed on a closed epoch, oldest first, unread.

    ``after``: the number of the last one of the page before; the other is that of this page, and
    None where there is no other page.
    """
    rows = SignedReport.objects.filter(closed_epoch_id=epoch, id__gt=after)
    rows = rows.select_related("validator").defer("packed").order_by("id")
    found = tuple(rows[: REPORTS_MOST + 1])
    page = found[:REPORTS_MOST]
    return page, page[-1].id if len(found) > REPORTS_MOST else None


def report(epoch: int, number: int) -> SignedScoreReport:
    """Return one of them as it was signed.

    :raises EpochUnknown: when the epoch has no such report.
    """
    found = SignedReport.objects.filter(closed_epoch_id=epoch, id=number).first()
    if found is None:
        raise EpochUnknown
    return SignedScoreReport.model_validate_json(zlib.decompress(bytes(found.packed)))


def machine_record(epoch: int, machine_id: UUID) -> MachineRecord:
    """Return what the record of a closed epoch says of one machine.

    :raises EpochUnknown: when it was not closed, or says nothing.
    """
    # Found in the bytes: to read all of a large record takes seconds, and anyone may ask.
    text = zlib.decompress(packed(epoch))
    at = text.find(b'"machine_id":"%s"' % str(machine_id).encode())
    if at < 0:
        raise EpochUnknown
    start, end = text.rfind(_MACHINE, 0, at), text.find(_MACHINE, at)
    part = text[start:] if end < 0 else text[start:end]
    found, _ = json.JSONDecoder().raw_decode(part.decode())
    return MachineRecord.model_validate_json(json.dumps(found))


def signed_verdicts(machine: MachineRecord) -> tuple[SignedVerdict, ...]:
    """Return the signed verdicts that the record names of a machine, oldest first."""
    named = {
        *(look.verdict_sha256 for look in machine.looks),
        *(proof.verdict_sha256 for proof in machine.gpu_proofs),
        *(together.verdict_sha256 for together in machine.together),
        *(word.verdict_sha256 for word in machine.words),
    }
    named |= {machine.first_verdict_sha256} - {""}
    rows = VerdictRecord.objects.filter(machine_id=machine.machine_id, sha256__in=named)
    return tuple(
        SignedVerdict.model_validate(signed)
        for signed in rows.order_by("checked_at", "id").values_list("signed", flat=True)
    )
