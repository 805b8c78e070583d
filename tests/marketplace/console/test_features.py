"""A feature that is turned off is refused with a sentence wherever it is reached, and only that."""

from collections.abc import Callable
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.console.actions.switch import switch
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.features import MEANING, SENTENCES, Feature
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.issue_token import issue_token
from marketplace.oversight import switches
from marketplace.oversight.models import Act, Switch
from marketplace.oversight.switches import FeatureOff
from marketplace.payments.actions.auto_top_up import auto_top_up
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import AutoTopUp, Payer, TopUp
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import enrol_request
from tests.marketplace.staffed import staff

Off = Callable[[Feature], None]


@pytest.fixture
def off(by: Staff, now: datetime) -> Off:
    def _off(feature: Feature) -> None:
        switch(by=by, feature=feature, on=False, words="Until noon.", reason="r", now=now)

    return _off


def test_nothing_new_is_rented_while_rentals_are_off(
    off: Off, by: Staff, alice: User, charlie: User, give: Callable[..., None], now: datetime
) -> None:
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    first = market.rent(alice, idempotency_key="one")
    off(Feature.RENTALS)
    with pytest.raises(FeatureOff, match=r"what runs goes on\. Until noon\."):
        market.rent(alice, idempotency_key="two")
    # Whoever asks again for what they have is answered as before.
    assert market.rent(alice, idempotency_key="one") == first
    switch(by=by, feature=Feature.RENTALS, on=True, words="", reason="r", now=now)
    market.rent(alice, idempotency_key="two")


def test_no_account_is_made_while_sign_ups_are_off(off: Off) -> None:
    off(Feature.SIGN_UPS)
    people = User.objects.count()
    sent = {"email": "new@example.com", "password1": "correct horse battery"}
    for reply in (Client().get("/accounts/signup/"), Client().post("/accounts/signup/", sent)):
        assert "Nobody can sign up for now. Until noon." in reply.content.decode()
    assert User.objects.count() == people


def test_no_money_is_added_while_top_ups_are_off(
    off: Off, alice: User, settings: Settings, now: datetime
) -> None:
    settings.TEST_PAYMENTS = True
    one = MicroUsd(1_000_000)
    first = top_up(user_id=alice.pk, amount_microusd=one, cause="a", now=now)
    off(Feature.TOP_UPS)
    with pytest.raises(FeatureOff, match="No money can be added"):
        top_up(user_id=alice.pk, amount_microusd=one, cause="b", now=now)
    assert top_up(user_id=alice.pk, amount_microusd=one, cause="a", now=now) == first
    assert TopUp.objects.count() == 1


def test_no_card_is_asked_by_itself_while_top_ups_are_off_or_for_somebody_banned(
    off: Off, by: Staff, alice: User, with_card: Callable[..., Payer], now: datetime
) -> None:
    with_card(alice)
    AutoTopUp.objects.create(
        user=alice,
        threshold_microusd=5_000_000,
        amount_microusd=20_000_000,
        month_microusd_max=50_000_000,
    )
    off(Feature.TOP_UPS)
    assert auto_top_up(now=now) == 0
    switch(by=by, feature=Feature.TOP_UPS, on=True, words="", reason="r", now=now)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert auto_top_up(now=now) == 0
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert auto_top_up(now=now) == 1


def test_no_token_is_made_and_no_new_machine_taken_while_enrolments_are_off(
    off: Off, charlie: User
) -> None:
    token = issue_token(host_id=charlie.pk, now=scene.NOW).token
    off(Feature.ENROLMENTS)
    with pytest.raises(FeatureOff, match="No new machine"):
        issue_token(host_id=charlie.pk, now=scene.NOW)
    with pytest.raises(FeatureOff, match="No new machine"):
        enrol(request=enrol_request(Ed25519PrivateKey.generate(), token), now=scene.NOW)


def test_an_admin_turns_a_feature_off_and_on_and_the_log_says_so(as_admin: Client) -> None:
    path = "/console/features/payouts"
    as_admin.post(path, {"to": "off", "words": "Until Monday.", "reason": "bank holiday"})
    assert switches.sentence(Feature.PAYOUTS) == f"{SENTENCES[Feature.PAYOUTS]} Until Monday."
    page = as_admin.get("/console/features/").content.decode()
    assert "Until Monday." in page
    assert page.count("badge-bad") == 1
    as_admin.post(path, {"to": "off", "words": "Other", "reason": "again"})
    as_admin.post(path, {"to": "on", "reason": "over"})
    assert not switches.is_off(Feature.PAYOUTS)
    assert [act.reason for act in Act.objects.all()] == ["over", "bank holiday"]
    assert as_admin.post("/console/features/gravity", {"reason": "x"}).status_code == 404
    as_admin.post(path, {"to": "off"})
    assert not Switch.objects.exists()


def test_who_may_not_turn_anything_off_does_not(
    as_finance: Client, as_support: Client, now: datetime
) -> None:
    for one in (as_finance, as_support):
        reply = one.post("/console/features/rentals", {"to": "off", "reason": "x"})
        assert reply.status_code == 403
    by = as_staff(staff("one", Role.FINANCE))
    assert by is not None
    with pytest.raises(NotYourRole):
        switch(by=by, feature=Feature.RENTALS, on=False, words="", reason="x", now=now)
    assert not Switch.objects.exists()


def test_a_switch_without_a_reason_is_not_turned(by: Staff, now: datetime) -> None:
    with pytest.raises(ReasonUnfit):
        switch(by=by, feature=Feature.RENTALS, on=False, words="", reason=" ", now=now)
    assert not Switch.objects.exists()


def test_every_feature_is_explained() -> None:
    assert set(MEANING) == set(SENTENCES) == set(Feature)
