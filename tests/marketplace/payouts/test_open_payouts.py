"""Each Friday what is old enough is set apart, once, and never more than there is."""

from datetime import datetime

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.audit import audit
from marketplace.ledger.models import Account, AuditRun
from marketplace.payments.models import Dispute, Payer, TopUp
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.actions.set_details import choose_route
from marketplace.payouts.models import Payout, PayoutAccount, Route
from marketplace.payouts.outlook import outlook
from tests.marketplace.payouts.conftest import FRIDAY, USD, Earn, Host, day


def amounts() -> list[int]:
    return list(Payout.objects.order_by("created_at").values_list("amount_microusd", flat=True))


def test_what_is_old_goes_out_and_the_rest_stays(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    earn(host.user, 50, at=day(-8))
    earn(host.user, 30, at=day(-6))
    assert open_payouts(now=day(0), gateway=gateway) == 1
    payout = host.payout()
    assert (payout.amount_microusd, payout.state) == (145 * USD, "pending")
    assert payout.week == FRIDAY.date()
    assert ledger.earned(host.user.pk) == 35 * USD
    assert Account.objects.get(kind=AccountKind.OUTSIDE).balance_microusd == -35 * USD
    assert audit() == []


def test_a_week_is_paid_once_however_often_and_late_it_is_asked_for(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    for moment in (0, 0.5, 3):
        open_payouts(now=day(moment), gateway=gateway)
    earn(host.user, 100, at=day(-20))
    open_payouts(now=day(6.99), gateway=gateway)
    assert amounts() == [100 * USD]
    open_payouts(now=day(7), gateway=gateway)
    assert amounts() == [100 * USD, 90 * USD]


def test_late_by_days_it_pays_what_was_available_on_friday(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 40, at=day(-31))
    earn(host.user, 1000, at=day(-5))
    open_payouts(now=day(4), gateway=gateway)
    assert amounts() == [40 * USD]


@pytest.mark.parametrize(("dollars", "paid"), [(19.99, []), (20, [20 * USD])])
def test_less_than_the_minimum_waits(
    host: Host, gateway: StripeConnect, earn: Earn, dollars: float, paid: list[int]
) -> None:
    earn(host.user, dollars, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    assert amounts() == paid


def test_parts_of_a_cent_stay(host: Host, gateway: StripeConnect, earn: Earn) -> None:
    earn(host.user, 25.019999, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    assert amounts() == [25_010_000]
    assert ledger.earned(host.user.pk) == 9_999


def test_a_fortune_goes_out_in_parts(host: Host, gateway: StripeConnect, earn: Earn) -> None:
    earn(host.user, 10**9, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    open_payouts(now=day(7), gateway=gateway)
    assert amounts() == [999_999_990_000] * 2


def test_who_chose_the_chain_alone_keeps_the_money_here_and_may_change_their_mind(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    choose_route(host_id=host.user.pk, route=Route.CHAIN_ONLY, now=day(-1))
    assert open_payouts(now=day(0), gateway=gateway) == 0
    assert ledger.earned(host.user.pk) == 100 * USD
    choose_route(host_id=host.user.pk, route=Route.BANK, now=day(1))
    assert open_payouts(now=day(7), gateway=gateway) == 1
    assert amounts() == [100 * USD]


@pytest.mark.parametrize("enabled_at", [None, day(0.01)])
def test_an_account_that_was_not_open_on_friday_waits(
    host: Host, gateway: StripeConnect, earn: Earn, enabled_at: datetime | None
) -> None:
    earn(host.user, 100, at=day(-31))
    PayoutAccount.objects.update(enabled_at=enabled_at)
    assert open_payouts(now=day(0.5), gateway=gateway) == 0
    PayoutAccount.objects.update(enabled_at=day(0.01))
    assert open_payouts(now=day(7), gateway=gateway) == 1


def test_nobody_who_is_shut_out_is_paid(host: Host, gateway: StripeConnect, earn: Earn) -> None:
    earn(host.user, 100, at=day(-31))
    User.objects.filter(pk=host.user.pk).update(is_active=False)
    assert open_payouts(now=day(0), gateway=gateway) == 0


def test_whose_own_card_payment_is_disputed_or_lost_is_not_paid_until_let(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    top_up = TopUp.objects.create(
        user=host.user,
        amount_microusd=100 * USD,
        gateway="stripe",
        state="paid",
        cause="strange card",
        created_at=day(-33),
        ask_at=day(-33),
    )
    dispute = Dispute.objects.create(
        id="dp_1",
        top_up=top_up,
        amount_microusd=100 * USD,
        opened_at=day(-1),
        ask_at=day(-1),
    )
    assert open_payouts(now=day(0), gateway=gateway) == 0
    Dispute.objects.filter(pk=dispute.pk).update(state="lost", closed_at=day(1))
    Payer.objects.create(user=host.user, barred_at=day(1))
    assert open_payouts(now=day(7), gateway=gateway) == 0
    assert ledger.earned(host.user.pk) == 100 * USD
    Payer.objects.update(barred_at=None)
    assert open_payouts(now=day(14), gateway=gateway) == 1


def test_what_was_given_back_is_not_paid_out(
    host: Host, gateway: StripeConnect, earn: Earn, alice: User
) -> None:
    earn(host.user, 100, at=day(-31))
    post(
        debit=open_account.earnings(user_id=host.user.pk),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(70 * USD),
        kind=TransferKind.REFUND,
        cause="credit:1",
        now=day(0.1),
    )
    open_payouts(now=day(0.2), gateway=gateway)
    assert amounts() == [30 * USD]


def test_a_site_without_a_processor_opens_nothing(
    host: Host, earn: Earn, settings: Settings
) -> None:
    settings.TEST_PAYMENTS = False
    earn(host.user, 100, at=day(-31))
    assert open_payouts(now=day(0)) == 0
    assert ledger.earned(host.user.pk) == 100 * USD


@pytest.mark.parametrize("names", ["account", "nobody"])
def test_with_whose_earnings_the_audit_disagrees_is_not_paid_until_it_is_cleared(
    host: Host, gateway: StripeConnect, earn: Earn, settings: Settings, names: str
) -> None:
    earn(host.user, 100, at=day(-31))
    account = Account.objects.get(kind=AccountKind.EARNINGS)
    told = {"account": f"Account earnings {account.pk.hex} counts 1.", "nobody": "All are wrong."}
    run = AuditRun.objects.create(at=day(-0.5), problems=[told[names]], accounts=1, transfers=1)
    assert open_payouts(now=day(0), gateway=gateway) == 0
    found = outlook(host.user.pk, now=day(0))
    assert (found.obstacle, found.amount_microusd) == ("audit", 0)
    AuditRun.objects.filter(pk=run.pk).update(cleared_at=day(1))
    # The same again stops nothing, something new does.
    problems = [told[names], "Account earnings of others."]
    newest = AuditRun.objects.create(at=day(1), problems=problems, accounts=1, transfers=1)
    assert open_payouts(now=day(1), gateway=gateway) == 0
    AuditRun.objects.filter(pk=newest.pk).update(problems=problems[:1])
    assert open_payouts(now=day(1), gateway=gateway) == 1
    assert amounts() == [100 * USD]


def test_what_the_audit_says_of_others_keeps_nobody_waiting(
    host: Host, gateway: StripeConnect, earn: Earn, alice: User
) -> None:
    earn(host.user, 100, at=day(-31))
    wallet = open_account.wallet(user_id=alice.pk)
    AuditRun.objects.create(
        at=day(-0.5), problems=[f"Account wallet {wallet.pk} owes $1."], accounts=1, transfers=1
    )
    assert open_payouts(now=day(0), gateway=gateway) == 1


def test_what_is_set_apart_is_not_sent_while_the_audit_disagrees(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    assert open_payouts(now=day(0), gateway=gateway) == 1
    account = Account.objects.get(kind=AccountKind.EARNINGS)
    for named in (f"Account earnings {account.pk} owes $1.", "All are wrong."):
        run = AuditRun.objects.create(at=day(0), problems=[named], accounts=1, transfers=1)
        assert send_payouts(now=day(0), gateway=gateway) == 0
        assert host.payout().state == "pending"
        AuditRun.objects.filter(pk=run.pk).update(problems=[])
    assert send_payouts(now=day(0), gateway=gateway) == 1
