"""Two workers that issue at once leave no number out and give none twice."""

from datetime import UTC, datetime

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain.invoice import Line
from marketplace.domain.money import MicroUsd
from marketplace.papers.actions.issue import issue
from marketplace.papers.actions.issue_receipts import issue_receipts
from marketplace.papers.content import made_out
from marketplace.papers.models import Paper, PaperKind
from marketplace.payments.models import TopUp, TopUpState
from tests.concurrency.conftest import Race

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAID = 6


class Killed(Exception):
    """A worker ends here."""


def test_two_workers_write_each_receipt_once_under_numbers_without_gaps(race: Race) -> None:
    alice = User.objects.create_user("alice@example.com", "correct horse battery")
    for number in range(PAID):
        TopUp.objects.create(
            user=alice, amount_microusd=1_000_000 + number, state=TopUpState.PAID, gateway="test",
            cause=f"paid:{number}", created_at=NOW, ask_at=NOW, settled_at=NOW,
        )  # fmt: skip

    def killed() -> None:
        line = Line("Usage", "", MicroUsd(1))
        with transaction.atomic():
            issue(
                user_id=alice.pk,
                kind=PaperKind.RECEIPT,
                content=made_out(user_id=alice.pk, lines=[line], about="killed"),
                top_up=TopUp.objects.order_by("cause").first(),
                now=NOW,
            )
            raise Killed

    race([lambda: issue_receipts(now=NOW), killed, lambda: issue_receipts(now=NOW)])
    issue_receipts(now=NOW)
    papers = Paper.objects.order_by("serial")
    assert [paper.serial for paper in papers] == list(range(1, PAID + 1))
    assert len({paper.top_up_id for paper in papers}) == PAID
