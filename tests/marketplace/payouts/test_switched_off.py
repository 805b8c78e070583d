"""While payouts are off nothing more leaves for a bank, and the host reads so."""

from datetime import datetime

from marketplace.accounts.models import User
from marketplace.domain.features import Feature
from marketplace.oversight.models import Switch
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from tests.marketplace.payouts.conftest import Earn, Host, day


def turn_off(now: datetime) -> None:
    Switch.objects.create(name=Feature.PAYOUTS.value, off_at=now)


def test_nothing_is_set_apart_while_payouts_are_off(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    turn_off(day(0))
    assert open_payouts(now=day(0), gateway=gateway) == 0
    Switch.objects.all().delete()
    # That Friday is paid once they are on again.
    assert open_payouts(now=day(1), gateway=gateway) == 1


def test_what_was_set_apart_waits_while_payouts_are_off_or_its_host_is_banned(
    host: Host, gateway: StripeConnect, earn: Earn
) -> None:
    earn(host.user, 100, at=day(-31))
    open_payouts(now=day(0), gateway=gateway)
    turn_off(day(0))
    assert send_payouts(now=day(0), gateway=gateway) == 0
    Switch.objects.all().delete()
    User.objects.filter(pk=host.user.pk).update(is_active=False)
    assert send_payouts(now=day(0), gateway=gateway) == 0
    assert host.payout().state == "pending"
    User.objects.filter(pk=host.user.pk).update(is_active=True)
    assert send_payouts(now=day(0), gateway=gateway) == 1
    assert host.payout().state == "sent"
