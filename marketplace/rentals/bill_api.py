"""This will serve the bill of a rental over the REST API."""

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.bill import SENTENCES, Reason
from marketplace.rentals import bills, queries
from marketplace.rentals.schemas import Period

router = Router(tags=["rentals"], auth=ApiKeyBearer())
#: stretches of one reply, the newest; the sums hold all of them
STRETCHES_MAX = 1000


class UnbilledReply(Schema):
    """Time that is not billed, all of one reason."""

    reason: Reason
    sentence: str
    ms: int


class StretchReply(Schema):
    reason: Reason
    start: datetime
    end: datetime


class GivenBackReply(Schema):
    """What came back, as a proof showed that less was delivered than was listed."""

    at: datetime
    proof_id: UUID
    delivered_ppm: int
    microusd: int


class CreditedReply(Schema):
    """What staff gave back for a report of yours."""

    at: datetime
    report_id: UUID
    microusd: int


class BillReply(Schema):
    """billed_ms, all of unbilled and rounded_ms are total_ms."""

    started_at: datetime
    #: null: it goes on
    ended_at: datetime | None
    total_ms: int
    billed_ms: int
    #: parts of milliseconds, which nobody pays
    rounded_ms: int
    unbilled: list[UnbilledReply]
    #: in order, the newest where there are too many
    stretches: list[StretchReply]
    periods: list[Period]
    time_microusd: int
    stored_ms: int
    storage_microusd: int
    traffic_bytes: int
    traffic_microusd: int
    given_back: list[GivenBackReply]
    credited: list[CreditedReply]
    #: all of these, less what came back
    total_microusd: int


@router.get("/rentals/{rental_id}/bill", response=BillReply)
def bill(request: HttpRequest, rental_id: UUID) -> BillReply:
    """Show what a rental cost, price by price, and what of its time cost nothing and why."""
    rental = queries.find(rental_id, caller(request).pk)
    found = bills.bill(rental, now=timezone.now())
    return BillReply(
        started_at=found.started_at,
        ended_at=found.ended_at,
        total_ms=found.split.total_ms,
        billed_ms=found.split.billed_ms,
        rounded_ms=found.split.rounded_ms,
        unbilled=[
            UnbilledReply(reason=reason, sentence=SENTENCES[reason], ms=ms)
            for reason, ms in found.split.by_reason().items()
        ],
        stretches=[
            StretchReply(reason=one.reason, start=one.stretch.start, end=one.stretch.end)
            for one in found.split.unbilled[-STRETCHES_MAX:]
        ],
        periods=[Period.from_orm(one) for one in found.periods],
        time_microusd=found.time_microusd,
        stored_ms=found.stored_ms,
        storage_microusd=found.storage_microusd,
        traffic_bytes=found.traffic_bytes,
        traffic_microusd=found.traffic_microusd,
        given_back=[GivenBackReply.from_orm(one) for one in found.given_back],
        credited=[CreditedReply.from_orm(one) for one in found.credited],
        total_microusd=found.total_microusd,
    )
