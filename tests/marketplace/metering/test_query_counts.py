"""What reads all machines asks the database as often for many of them as for one."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from marketplace.metering.hosting import hosted_machines
from marketplace.metering.validator_api import public_epoch_record
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.actions.refresh import refresh_all
from marketplace.offers.models import Offer
from marketplace.verification import queries as verification
from marketplace.verification.actions.record_verdict import record
from tests.marketplace.scene import NOW, Judge, machine, user

pytestmark = pytest.mark.django_db
Counted = Callable[[int], AbstractContextManager[object]]


@pytest.fixture(params=[1, 6], ids=["one", "six"])
def count(request: pytest.FixtureRequest) -> int:
    judge = Judge().admitted()
    for _ in range(request.param):
        on = machine()
        record(signed=judge.verdict(on), now=NOW)
        list_offer(machine_id=on.id, now=NOW)
    refresh_all(now=NOW)
    return int(request.param)


def test_targets(count: int, django_assert_num_queries: Counted) -> None:
    with django_assert_num_queries(4):
        assert len(verification.targets(NOW)) == count


def test_the_epoch_record(
    count: int, django_assert_num_queries: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    with django_assert_num_queries(9):
        record = public_epoch_record()
    assert [each.has_valid_verdict for each in record.machines] == [True] * count
    assert all(each.looks for each in record.machines)


def test_the_pass_over_all_offers(count: int, django_assert_num_queries: Counted) -> None:
    # Offers, what stands of their machines, what was measured of these and of their lines, and two
    # for how long each was there.
    with django_assert_num_queries(6):
        assert refresh_all(now=NOW) == 0
    assert Offer.objects.filter(verified_until__isnull=False).count() == count


def test_a_hosts_machines(count: int, django_assert_num_queries: Counted) -> None:
    with django_assert_num_queries(10):
        found = hosted_machines(user().pk, now=NOW).items
    assert [each.verdict for each in found] == ["verified"] * count
