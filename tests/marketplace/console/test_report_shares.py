"""What staff read of who pays, before they answer a report, is what each gives."""

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.accounts.models import User
from marketplace.console.staff import Staff
from marketplace.domain.rental_report import Payer
from marketplace.ledger import queries as ledger
from marketplace.rentals.models import RentalReport
from tests.marketplace.console.reported import charged_for, credit, fees, make, pay_out, said
from tests.marketplace.rentals.market import Market


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
