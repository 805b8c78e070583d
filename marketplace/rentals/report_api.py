"""This will take reports about rentals over the REST API, and say what became of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.money import AMOUNT_MICROUSD_MAX, MicroUsd
from marketplace.domain.rental_report import TEXT_LENGTH_MAX, ReportState, Wrong
from marketplace.json_body import JsonBody
from marketplace.rentals import rental_reports
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.models import RentalReport

router = Router(tags=["rentals"], auth=ApiKeyBearer())


class RentalReportRequest(JsonBody):
    """What was wrong with a rental."""

    what: Wrong
    text: Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
    #: what you want back, at most what it cost in the last 30 days; null: you ask for no money
    asked_microusd: Annotated[int, Field(ge=1, le=AMOUNT_MICROUSD_MAX)] | None = None


class RentalReportReply(Schema):
    """A report, and what staff answered."""

    id: UUID
    rental_id: UUID
    what: Wrong
    text: str
    asked_microusd: int | None
    state: ReportState
    made_at: datetime
    #: when it was withdrawn or answered; null: it waits
    closed_at: datetime | None
    #: why, in the words of staff; empty: nobody answered it
    answer: str
    #: what came back
    credited_microusd: int


class RentalReportList(Schema):
    items: list[RentalReportReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


class TakenReply(Schema):
    """What staff gave back to a renter out of your earnings."""

    report_id: UUID
    rental_id: UUID
    machine_id: UUID
    #: what the renter said was wrong
    what: Wrong
    at: datetime
    #: why, in the words of staff
    answer: str
    #: out of your earnings
    taken_microusd: int


class TakenList(Schema):
    items: list[TakenReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


@router.post("/rentals/{rental_id}/report", response={201: RentalReportReply})
def report(
    request: HttpRequest, rental_id: UUID, payload: RentalReportRequest
) -> Status[RentalReportReply]:
    """Tell staff what was wrong with a rental, and ask for money back; the same twice is one."""
    asked = payload.asked_microusd
    made = reporting.report(
        rental_id=rental_id,
        renter_id=caller(request).pk,
        what=payload.what,
        text=payload.text,
        asked_microusd=None if asked is None else MicroUsd(asked),
        now=timezone.now(),
    )
    return Status(201, _reply(made))


@router.get("/rentals/{rental_id}/report", response=RentalReportReply)
def newest(request: HttpRequest, rental_id: UUID) -> RentalReportReply:
    """Show the newest report about a rental, with the answer."""
    return _reply(rental_reports.of_rental(rental_id, caller(request).pk))


@router.delete("/rentals/{rental_id}/report", response={204: None})
def withdraw(request: HttpRequest, rental_id: UUID) -> Status[None]:
    """Take back a report that nobody answered."""
    reporting.withdraw(rental_id=rental_id, renter_id=caller(request).pk, now=timezone.now())
    return Status(204, None)


@router.get("/reports", response=RentalReportList)
def reports(request: HttpRequest, cursor: UUID | None = None) -> RentalReportList:
    """List your reports about rentals, newest first."""
    page = rental_reports.of_renter(caller(request).pk, after=cursor)
    return RentalReportList(items=[_reply(one) for one in page.items], next_cursor=page.next_id)


@router.get("/host/given-back", response=TakenList)
def given_back(request: HttpRequest, cursor: UUID | None = None) -> TakenList:
    """List what staff gave back to renters out of your earnings, and why, newest first."""
    page = rental_reports.taken(caller(request).pk, after=cursor)
    return TakenList(
        items=[
            TakenReply(
                report_id=one.id,
                rental_id=one.rental_id,
                machine_id=one.rental.placement.machine_id,
                what=Wrong(one.what),
                at=one.closed_at or one.made_at,
                answer=one.answer,
                taken_microusd=one.host_microusd,
            )
            for one in page.items
        ],
        next_cursor=page.next_id,
    )


def _reply(found: RentalReport) -> RentalReportReply:
    return RentalReportReply(
        **{name: getattr(found, name) for name in RentalReportReply.model_fields}
    )
