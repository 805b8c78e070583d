"""What staff read of who pays, before they answer a report, is what each gives."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.accounts.models import User
from marketplace.console.staff import Staff
from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_report import Payer
from marketplace.ledger import queries as ledger
from marketplace.ledger import statement_csv
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.models import Transfer
from marketplace.own_data import content
from marketplace.rentals.models import RentalReport
from tests.marketplace.console.reported import charged_for, credit, fees, make, pay_out, said
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import after


@pytest.fixture
def report(alice: User, charlie: User, give: Callable[..., None]) -> RentalReport:
    return make(charged_for(Market.open(charlie), alice, give))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    amount=st.integers(1, 100_000), paid_out=st.integers(1, 95_000), payer=st.sampled_from(Payer)
)
def test_each_gives_what_was_said_before(
    by: Staff, charlie: User, report: RentalReport, amount: int, paid_out: int, payer: Payer
) -> None:
    with transaction.atomic():
        pay_out(charlie, paid_out)
        told = said(by, report, amount, payer).shares
        before = ledger.earned(charlie.pk), fees()
        credit(by, report, amount, payer=payer, host=told.host_microusd)
        gave = before[0] - ledger.earned(charlie.pk), before[1] - fees()
        assert gave == (told.host_microusd, told.site_microusd)
        # The next example begins anew.
        transaction.set_rollback(True)


def read_by(renter: User) -> dict[str, list[Any]]:
    """Return all that the renter reads of what came back, but the numbers of its transfers."""
    lines = [one for one in ledger.statement(renter.pk) if one.kind == "refund"]
    rows = csv.DictReader(io.StringIO("".join(statement_csv.lines(renter.pk, ledger.FUNDS))))
    with zipfile.ZipFile(io.BytesIO(content.written(renter, site="s", now=after(300)))) as files:
        holds = json.loads(files.read("ledger-hold.json"))
        moved = csv.DictReader(io.StringIO(files.read("transfers.csv").decode()))
        mine = [row | {"id": ""} for row in moved if row["kind"] == "refund"]
    return {
        "page": [(one.at, one.amount_microusd, one.note, one.total_microusd) for one in lines],
        "of": [one.transfers for one in lines],
        "statement": [row | {"transfer": ""} for row in rows if row["kind"] == "refund"],
        "transfers": mine,
        "holds": holds,
    }


@pytest.mark.parametrize("credited", [False, True])
def test_what_came_back_is_one_line_for_its_renter_whoever_paid(
    by: Staff, alice: User, charlie: User, give: Callable[..., None], credited: bool
) -> None:
    if credited:
        grant_credit(
            user_id=alice.pk,
            amount_microusd=MicroUsd(70_000),
            expires_at=after(0) + timedelta(days=30),
            cause="sorry",
            now=after(0),
        )
    report = make(charged_for(Market.open(charlie), alice, give))
    read = []
    for payer, host, transfers in ((Payer.HOST, 38_000, 2), (Payer.SITE, 0, 1)):
        with transaction.atomic():
            credit(by, report, payer=payer, host=host)
            parts = Transfer.objects.filter(kind="refund")
            assert parts.count() == transfers + credited
            read.append(read_by(alice))
            transaction.set_rollback(True)
    assert read[0] == read[1]
    assert read[0]["of"] == [1]
    (statement,), (moved,) = read[0]["statement"], read[0]["transfers"]
    cause = f"report:{report.id}:credit"
    assert (statement["amount_usd"], statement["cause"]) == ("0.040000", cause)
    to = "wallet and credit" if credited else "wallet"
    assert (moved["amount_microusd"], moved["from"], moved["to"]) == ("40000", "", to)
