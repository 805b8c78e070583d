"""Money that was set apart is transferred once, seen to arrive, or comes back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.domain.payout import ATTEMPTS_MAX
from marketplace.ledger import queries as ledger
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account
from marketplace.notices.models import Notice
from marketplace.payments.models import Payer
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import CLAIMED, send_payouts
from marketplace.payouts.models import Payout, PayoutAttempt
from scripts.stripe_stand_in.connect import Connect, Refusal
from tests.marketplace.broken import break_row
from tests.marketplace.payouts.conftest import USD, Earn, Host, day
from tests.marketplace.statements import writes

AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]
POOR = Refusal(400, "balance_insufficient", "You have insufficient available funds.")
GONE = Refusal(403, "account_invalid", "That account does not exist.")
MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def killed_before(write: int) -> Iterator[list[str]]:
    """Die before this write, counted from 0; give the writes that were done."""
    done: list[str] = []

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if writes(sql):
            if len(done) == write:
                raise Killed
            done.append(sql)
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield done


@pytest.fixture
def due(host: Host, gateway: StripeConnect, earn: Earn) -> Payout:
    """A payout of $100 that was just set apart."""
    earn(host.user, 100, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    return host.payout()


def send(gateway: StripeConnect, *, days: float = 0) -> Payout:
    send_payouts(now=day(days), gateway=gateway)
    return Payout.objects.get()


def outside() -> int:
    return Account.objects.get(kind=AccountKind.OUTSIDE).balance_microusd


def titles() -> list[str]:
    return list(Notice.objects.order_by("id").values_list("title", flat=True))


def test_it_is_sent_and_then_seen_to_arrive(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    sent = send(gateway)
    assert (sent.state, sent.reference, sent.sent_at) == ("sent", "tr_1", day(0))
    assert processor.transfers["tr_1"]["amount"] == 10_000
    assert send(gateway, days=1).state == "sent"
    processor.pay_out("acct_1")
    paid = send(gateway, days=2)
    assert (paid.state, paid.settled_at, paid.due_at) == ("paid", day(2), None)
    assert (ledger.earned(due.host_id), outside()) == (0, 0)
    assert send(gateway, days=30).state == "paid"
    assert len(processor.transfers) == 1
    assert titles() == ["Your payout of $100.00 arrived at your bank"]


def test_a_bank_payout_without_this_transfer_says_nothing_of_it(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    send(gateway)
    processor.accounts["acct_1"]["waiting"] = ["py_of_somebody_else"]
    processor.pay_out("acct_1")
    assert send(gateway, days=1).state == "sent"


def test_a_lost_answer_is_settled_by_asking_again_under_the_same_key(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.lose_answers = 1
    lost = send(gateway)
    assert (lost.state, lost.reason.startswith("The payment processor does not")) == (
        "pending",
        True,
    )
    assert send(gateway, days=1).state == "sent"
    assert len(processor.transfers) == 1
    assert PayoutAttempt.objects.count() == 1


def test_a_lost_answer_is_found_even_when_the_key_is_long_forgotten(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.lose_answers = 1
    send(gateway)
    processor.answers.clear()
    assert send(gateway, days=3).reference == "tr_1"
    assert len(processor.transfers) == 1


def bar(host: User) -> None:
    """Have the site pay for a payment that the host disputed and won."""
    Payer.objects.create(user=host, barred_at=day(0))


def test_what_was_set_apart_before_a_dispute_comes_back_and_is_not_sent(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    bar(due.host)
    kept = send(gateway)
    assert (kept.state, kept.attempts.get().state) == ("failed", "refused")
    assert "disputed" in kept.reason
    assert (processor.transfers, ledger.earned(due.host_id)) == ({}, 100 * USD)
    assert titles() == ["Your payout of $100.00 came back"]
    assert audit() == []


def test_a_dispute_undoes_nothing_that_a_lost_answer_may_have_sent(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.lose_answers = 1
    send(gateway)
    bar(due.host)
    assert send(gateway, days=1).state == "sent"
    assert ledger.earned(due.host_id) == 0


def test_a_dispute_waits_for_a_request_that_may_still_be_on_its_way(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.down = True
    send(gateway)
    processor.down = False
    bar(due.host)
    waits = send(gateway, days=2 / 1440)
    assert (waits.state, "disputed" in waits.reason) == ("pending", True)
    assert send(gateway, days=1).state == "failed"
    assert (processor.transfers, ledger.earned(due.host_id)) == ({}, 100 * USD)


def test_an_hour_without_the_processor_delays_and_loses_nothing(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.down = True
    asked = 0
    for minute in range(60):
        before = len(processor.asked)
        send(gateway, days=minute / 1440)
        asked += len(processor.asked) > before
    assert (processor.transfers, asked) == ({}, 6)
    assert Payout.objects.get().state == "pending"
    assert ledger.earned(due.host_id) == 0
    processor.down = False
    assert send(gateway, days=64 / 1440).state == "sent"
    assert len(processor.transfers) == 1
    assert audit() == []


def test_one_that_waits_for_the_processor_does_not_make_the_others_wait_for_it_too(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    Payout.objects.create(
        host=due.host, account=due.account, week=day(-7).date(), amount_microusd=20 * USD,
        sink=due.sink, due_at=day(-1), created_at=day(-1),
    )  # fmt: skip
    processor.down = True
    before = len(processor.asked)
    assert send_payouts(now=day(0), gateway=gateway) == 0
    assert len(processor.asked) == before + 1


def test_a_kill_at_any_write_moves_the_money_once(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    with transaction.atomic():
        with killed_before(-1) as done:
            send(gateway)
        transaction.set_rollback(True)
    assert len(done) == 4
    for write in range(len(done)):
        processor.transfers.clear()
        processor.answers.clear()
        with transaction.atomic():
            with pytest.raises(Killed), killed_before(write):
                send(gateway)
            sent = send(gateway, days=1)
            assert (sent.state, len(processor.transfers)) == ("sent", 1), done[write]
            transaction.set_rollback(True)


def test_a_refusal_that_may_pass_is_tried_again_under_another_key(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.refusals = [POOR]
    refused = send(gateway)
    assert (refused.state, refused.reason) == ("pending", POOR.message)
    assert refused.due_at == day(0) + MINUTE
    assert send(gateway, days=1).state == "sent"
    attempts = PayoutAttempt.objects.order_by("number").values_list("number", "state", "reason")
    assert list(attempts) == [(1, "refused", POOR.message), (2, "sent", "")]


def test_a_refusal_that_stays_brings_the_money_back(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.refusals = [POOR] * ATTEMPTS_MAX
    for number in range(ATTEMPTS_MAX):
        assert Payout.objects.get().state == "pending"
        send(gateway, days=number)
    failed = Payout.objects.get()
    assert (failed.state, failed.reason, failed.due_at) == ("failed", POOR.message, None)
    assert ledger.earned(due.host_id) == 100 * USD
    assert send(gateway, days=20).state == "failed"
    assert processor.transfers == {}
    assert audit() == []


def test_an_account_that_is_gone_is_not_asked_twice(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.refusals = [GONE]
    assert send(gateway).state == "failed"
    assert ledger.earned(due.host_id) == 100 * USD


def test_money_that_came_back_goes_out_a_week_later(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    processor.refusals = [GONE]
    send(gateway)
    open_payouts(now=day(1), gateway=gateway)
    assert Payout.objects.count() == 1
    open_payouts(now=day(7), gateway=gateway)
    send_payouts(now=day(7), gateway=gateway)
    states = Payout.objects.order_by("week").values_list("state", "amount_microusd")
    assert list(states) == [("failed", 100 * USD), ("sent", 100 * USD)]


def test_a_bank_that_is_mended_in_time_keeps_the_payout(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    send(gateway)
    processor.pay_out("acct_1", status="failed", message="The bank account is closed.")
    returned = send(gateway, days=1)
    assert (returned.state, returned.reason) == ("sent", "The bank account is closed.")
    processor.pay_out("acct_1")
    assert send(gateway, days=2).state == "paid"


def test_a_bank_that_is_not_mended_sends_the_money_back_to_the_earnings(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    send(gateway)
    processor.pay_out("acct_1", status="failed", message="The bank account is closed.")
    for days in (1, 14.9, 15.2):
        found = send(gateway, days=days)
    assert (found.state, found.reason) == ("failed", "The bank account is closed.")
    assert titles() == [
        "Your payout of $100.00 was sent back by your bank",
        "Your payout of $100.00 came back",
    ]
    assert processor.transfers["tr_1"]["reversed"]
    assert (ledger.earned(due.host_id), processor.balance) == (100 * USD, 10_000_000)
    assert audit() == []


def test_a_kill_while_it_is_taken_back_brings_it_back_once(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    send(gateway)
    processor.pay_out("acct_1", status="failed", message="Closed.")
    send(gateway, days=1)
    processor.lose_answers = 1
    assert send(gateway, days=15.2).state == "sent"
    processor.answers.clear()
    with transaction.atomic():
        with killed_before(-1) as done:
            send(gateway, days=16)
        transaction.set_rollback(True)
    assert len(done) > 3
    for write in range(len(done)):
        processor.answers.clear()
        with pytest.raises(Killed), transaction.atomic(), killed_before(write):
            send(gateway, days=16)
    assert send(gateway, days=30).state == "failed"
    assert ledger.earned(due.host_id) == 100 * USD
    assert processor.balance == 10_000_000


def test_a_payout_that_cannot_be_written_holds_up_no_other(
    due: Payout, gateway: StripeConnect, processor: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    other = Payout.objects.create(
        host=due.host, account=due.account, week=day(-7).date(), amount_microusd=20 * USD,
        sink=due.sink, due_at=day(0), created_at=day(0),
    )  # fmt: skip
    break_row(due)
    assert send_payouts(now=day(0), gateway=gateway) == 1
    other.refresh_from_db()
    assert (other.state, len(processor.transfers)) == ("sent", 1)
    assert "payout not sent" in caplog.messages


def test_somebody_elses_claim_is_left_alone_until_it_is_over(
    due: Payout, gateway: StripeConnect, processor: Connect
) -> None:
    Payout.objects.update(due_at=day(0) + CLAIMED)
    assert send_payouts(now=day(0), gateway=gateway) == 0
    assert processor.transfers == {}


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_set_apart_and_transfer_once(
    transactional_db: None,
    host: Host,
    gateway: StripeConnect,
    processor: Connect,
    earn: Earn,
    at_once: AtOnce,
) -> None:
    earn(host.user, 100, at=day(-31))
    for work in (open_payouts, send_payouts):
        done = at_once([lambda work=work: work(now=day(0), gateway=gateway)] * 4)  # type: ignore[misc]
        assert sorted(map(str, done)) == ["0", "0", "0", "1"]
    assert [shape for shape in processor.asked if shape == ("POST", "/v1/transfers")] == [
        ("POST", "/v1/transfers")
    ]
    assert Payout.objects.get().state == "sent"
    assert audit() == []
