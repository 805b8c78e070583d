"""Two timers at once, on one database: one sets weights, and one attempt is open."""

from fractions import Fraction
from threading import Barrier

from django.utils import timezone

from tests.concurrency.conftest import Race
from validator import sender_lock, submissions
from validator.domain.weights import WeightPlan
from validator.models import WeightSubmission

SUBJECT = {"network": "finney", "netuid": 27, "hotkey": "5Alice"}


def test_one_of_two_senders_gets_the_lock_and_gives_it_back(race: Race) -> None:
    both_asked = Barrier(2)

    def ask() -> bool:
        with sender_lock.held(network="finney", netuid=27, hotkey="5Alice") as mine:
            both_asked.wait(timeout=30)
            return mine

    assert sorted(map(bool, race([ask, ask]))) == [False, True]
    with sender_lock.held(network="finney", netuid=27, hotkey="5Alice") as mine:
        assert mine


def test_senders_for_two_subnets_do_not_wait_for_each_other(race: Race) -> None:
    both_asked = Barrier(2)

    def ask(netuid: int) -> bool:
        with sender_lock.held(network="finney", netuid=netuid, hotkey="5Alice") as mine:
            both_asked.wait(timeout=30)
            return mine

    assert race([lambda: ask(27), lambda: ask(28)]) == [True, True]


def test_of_two_that_lost_their_lock_one_writes_an_open_row(race: Race) -> None:
    def begin() -> WeightSubmission:
        return submissions.begin(
            SUBJECT,
            epoch=1,
            block=5,
            dead_after_block=40,
            plan=WeightPlan({1: Fraction(1)}),
            now=timezone.now(),
        )

    kinds = sorted(type(end).__name__ for end in race([begin, begin]))
    assert kinds == ["IntegrityError", "WeightSubmission"]
    assert WeightSubmission.objects.get().outcome == WeightSubmission.SENDING
