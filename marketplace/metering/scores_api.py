"""This will let anyone read what scores are computed from, and what validators signed of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from ninja import Path, Query, Router, Schema
from pydantic import Field

from marketplace.metering import queries as metering
from marketplace.verification import published
from marketplace.verification.epochs import epoch_times
from protocol.receipts import SignedInterval
from protocol.validator import SignedScoreReport, SignedVerdict

router = Router(tags=["scores"], auth=None)
#: what is closed never changes; reports on it still come for about two epochs
RECORD_CACHED = "public, max-age=31536000, immutable"
SCORES_CACHED = "public, max-age=60"
#: a number, or "newest"
EpochName = Annotated[str, Path(max_length=10, pattern=r"^([0-9]+|newest)$")]


class MachinePoints(Schema):
    machine_id: UUID
    #: ss58; empty: its host is not on chain
    miner_hotkey: str
    points_micro: int
    jobs_micro: int
    #: each factor in millionths, by name
    factors_ppm: dict[str, int]


class MinerPoints(Schema):
    miner_hotkey: str
    machines: int
    points_micro: int
    #: of all that are on chain: its weight before anything is burned
    share_ppm: int


class ValidatorPoints(Schema):
    hotkey: str
    machines: int
    points_micro: int


class Scores(Schema):
    epoch: int
    starts_at: datetime
    ends_at: datetime
    #: null: the epoch goes on, and what is here may change
    closed_at: datetime | None
    #: of the record's bytes; empty: the epoch is not closed
    record_sha256: str
    #: the closed epochs beside this one
    previous_epoch: int | None
    next_epoch: int | None
    #: all that scored it
    validators: list[ValidatorPoints]
    #: whose scores these are; empty: nobody's yet
    validator: str
    #: the best by points
    miners: list[MinerPoints]
    #: the best first
    machines: list[MachinePoints]
    #: where the next page of machines begins; empty: there is none
    next_cursor: str


class ReportLine(Schema):
    number: int
    validator: str
    machines: int
    points_micro: int
    received_at: datetime


class Reports(Schema):
    items: list[ReportLine]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: int | None


class EvidenceReply(Schema):
    #: that the record names of this machine, oldest first
    verdicts: list[SignedVerdict]
    #: the newest signed interval of each placement that the record counts
    intervals: list[SignedInterval]


@router.get("/scores/{epoch}", response=Scores)
def scores(
    request: HttpRequest,
    response: HttpResponse,
    epoch: EpochName,
    cursor: Annotated[str, Field(max_length=80)] = "",
) -> Scores:
    """Return an epoch's points by miner and machine; ``newest`` is the newest closed one."""
    found = published.scores_of(_number(epoch), cursor=cursor)
    response["Cache-Control"] = SCORES_CACHED if found.closed else "no-store"
    start, end = epoch_times(found.epoch)
    return Scores(
        epoch=found.epoch,
        starts_at=start,
        ends_at=end,
        closed_at=found.closed.closed_at if found.closed else None,
        record_sha256=found.closed.sha256 if found.closed else "",
        previous_epoch=found.previous,
        next_epoch=found.next,
        validators=[
            ValidatorPoints(hotkey=one.hotkey, machines=one.machines, points_micro=one.points_micro)
            for one in found.judges
        ],
        validator=found.by.hotkey if found.by else "",
        miners=[
            MinerPoints(
                miner_hotkey=one.hotkey,
                machines=one.machines,
                points_micro=one.points_micro,
                share_ppm=one.share_ppm,
            )
            for one in found.miners
        ],
        machines=[
            MachinePoints(
                machine_id=one.machine_id,
                miner_hotkey=one.miner_hotkey,
                points_micro=one.points_micro,
                jobs_micro=one.jobs_micro,
                factors_ppm=one.factors_ppm,
            )
            for one in found.scores
        ],
        next_cursor=found.next_place.encode() if found.next_place else "",
    )


@router.get("/scores/{epoch}/record", response={200: None})
def record(request: HttpRequest, epoch: EpochName) -> HttpResponseBase:
    """Return a closed epoch's record, byte for byte as its published SHA-256 has it.

    To whoever takes "deflate" it goes as it is kept; for others it is unpacked piece by piece.
    """
    closed = published.known(_number(epoch))
    as_kept = "deflate" in request.headers.get("Accept-Encoding", "")
    etag = f'"{closed.sha256}-deflate"' if as_kept else f'"{closed.sha256}"'
    reply: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if reply is None and as_kept:
        reply = HttpResponse(published.packed(closed.epoch), content_type="application/json")
        reply["Content-Encoding"] = "deflate"
    elif reply is None:
        pieces = published.unpacked(published.packed(closed.epoch))
        reply = StreamingHttpResponse(pieces, content_type="application/json")
    reply["Cache-Control"] = SCORES_CACHED if epoch == published.NEWEST else RECORD_CACHED
    reply["ETag"] = etag
    patch_vary_headers(reply, ["Accept-Encoding"])
    return reply


@router.get("/scores/{epoch}/reports", response=Reports)
def reports(
    request: HttpRequest,
    epoch: EpochName,
    cursor: Annotated[int, Query(ge=0, lt=1 << 62)] = 0,
) -> Reports:
    """List the reports that validators signed on a closed epoch, oldest first."""
    closed = published.known(_number(epoch))
    found, next_cursor = published.reports(closed.epoch, after=cursor)
    return Reports(
        items=[
            ReportLine(
                number=one.id,
                validator=one.validator.hotkey,
                machines=one.machines,
                points_micro=one.points_micro,
                received_at=one.received_at,
            )
            for one in found
        ],
        next_cursor=next_cursor,
    )


@router.get("/scores/{epoch}/reports/{number}", response=SignedScoreReport)
def report(
    request: HttpRequest,
    response: HttpResponse,
    epoch: EpochName,
    number: Annotated[int, Path(ge=0, lt=1 << 62)],
) -> SignedScoreReport:
    """Return one report as its validator signed it."""
    response["Cache-Control"] = RECORD_CACHED
    return published.report(_number(epoch), number)


@router.get("/scores/{epoch}/machines/{machine_id}/evidence", response=EvidenceReply)
def evidence(
    request: HttpRequest, response: HttpResponse, epoch: EpochName, machine_id: UUID
) -> EvidenceReply:
    """Return the signed verdicts and intervals that a machine's part of the record names."""
    machine = published.machine_record(_number(epoch), machine_id)
    response["Cache-Control"] = RECORD_CACHED
    return EvidenceReply(
        verdicts=list(published.signed_verdicts(machine)),
        intervals=list(metering.signed_heads(machine)),
    )


def _number(epoch: str) -> int:
    return published.newest() if epoch == published.NEWEST else min(int(epoch), 1 << 31)
