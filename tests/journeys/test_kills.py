"""Each program killed in each state of a placement: the story goes on and nothing is left over."""

import contextlib
from collections.abc import Callable

import httpx
import pytest

from tests.journeys.conftest import Renter
from tests.journeys.relay import OFFERED, Moment
from tests.journeys.stack import WAIT_S, Stack, until

pytestmark = pytest.mark.xdist_group("kills")

WAY_UP = [OFFERED, "accepted", "preparing", "running"]
WAY_DOWN = ["collecting", "gone"]
POWER_CUT = ("agent", "web", "scheduler")


@pytest.fixture(autouse=True)
def everything_runs(stack: Stack, renter: Renter) -> None:
    """Whatever an earlier test left dead lives again, and what it left running is ended."""
    start_again(stack, tuple(set(POWER_CUT) - set(stack.processes)))
    if stack.left_over():
        for rental in stack.call("GET", "/rentals?state=live", renter.key)["items"]:
            renter.end(rental["id"])


def kill_at(
    stack: Stack, state: str, moment: Moment, victims: tuple[str, ...], act: Callable[[], object]
) -> None:
    """Do something and see the victims die when it comes to the state."""
    sprung = stack.relay.arm(state, moment, lambda: stack.kill(*victims))
    # A web process may die before it answered; what it was asked for stands in the books.
    with contextlib.suppress(httpx.TransportError):
        act()
    assert sprung.wait(WAIT_S), f"it never came to {state}"


def start_again(stack: Stack, victims: tuple[str, ...]) -> None:
    """Start the victims and see the site answer."""
    for victim in victims:
        stack.start(victim)
    until(stack.site_answers, "the site answers")


def kill_on_the_way_up(
    stack: Stack, renter: Renter, state: str, moment: Moment, victims: tuple[str, ...]
) -> str:
    """Rent, see the victims die on the way and return the rental's id."""
    kill_at(stack, state, moment, victims, renter.rent)
    return stack.books.newest_rental()


def kill_on_the_way_down(
    stack: Stack, renter: Renter, state: str, moment: Moment, victims: tuple[str, ...]
) -> str:
    """Rent, end, see the victims die meanwhile and return the rental's id."""
    rental_id = renter.rent()
    renter.wait(rental_id, "active")
    kill_at(stack, state, moment, victims, lambda: renter.ask_to_end(rental_id))
    return rental_id


def kill_agent_amid(stack: Stack, event: str, act: Callable[[], object]) -> object:
    """Do something, see the agent die as soon as Docker tells of the event, and start it again."""
    assert stack.witness is not None
    sprung = stack.witness.arm(event, lambda: stack.kill("agent"))
    done = act()
    assert sprung.wait(WAIT_S), f"Docker never told of {event}"
    start_again(stack, ("agent",))
    return done


def goes_on(stack: Stack, renter: Renter, rental_id: str) -> None:
    """The rental comes to run, once, lets its renter in, and ends when it is asked to."""
    rental = renter.wait(rental_id, "active")
    assert len(stack.containers()) == 1
    assert renter.ssh(rental, "echo there").strip() == "there"
    assert renter.end(rental_id)["state"] == "ended"
    stack.everything_is_given_back()


def comes_to_its_end(stack: Stack, renter: Renter, rental_id: str) -> None:
    """The rental that was to be ended is."""
    assert renter.wait(rental_id, "ended", "failed")["state"] == "ended"
    stack.everything_is_given_back()


@pytest.mark.parametrize("victim", ["agent", "web"])
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("state", WAY_UP)
def test_a_kill_on_the_way_up_does_not_keep_a_rental_from_running(
    stack: Stack, renter: Renter, state: str, moment: Moment, victim: str
) -> None:
    rental_id = kill_on_the_way_up(stack, renter, state, moment, (victim,))
    start_again(stack, (victim,))
    goes_on(stack, renter, rental_id)


@pytest.mark.parametrize("victim", ["agent", "web"])
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("state", WAY_DOWN)
def test_a_kill_on_the_way_down_leaves_nothing_behind(
    stack: Stack, renter: Renter, state: str, moment: Moment, victim: str
) -> None:
    rental_id = kill_on_the_way_down(stack, renter, state, moment, (victim,))
    start_again(stack, (victim,))
    comes_to_its_end(stack, renter, rental_id)


@pytest.mark.parametrize("event", ["create", "start"])
def test_a_kill_amid_what_docker_makes_is_made_good(
    stack: Stack, renter: Renter, event: str
) -> None:
    rental_id = kill_agent_amid(stack, event, renter.rent)
    goes_on(stack, renter, str(rental_id))


@pytest.mark.parametrize("event", ["die", "destroy"])
def test_a_kill_amid_what_docker_removes_leaves_nothing_behind(
    stack: Stack, renter: Renter, event: str
) -> None:
    rental_id = renter.rent()
    renter.wait(rental_id, "active")
    kill_agent_amid(stack, event, lambda: renter.ask_to_end(rental_id))
    comes_to_its_end(stack, renter, rental_id)


@pytest.mark.parametrize("victims", [("scheduler",), POWER_CUT], ids="+".join)
def test_neither_a_scheduler_nor_a_power_cut_loses_a_rental(
    stack: Stack, renter: Renter, victims: tuple[str, ...]
) -> None:
    rental_id = kill_on_the_way_up(stack, renter, "running", Moment.AFTER, victims)
    start_again(stack, victims)
    renter.wait(rental_id, "active")
    kill_at(stack, "collecting", Moment.AFTER, victims, lambda: renter.ask_to_end(rental_id))
    start_again(stack, victims)
    comes_to_its_end(stack, renter, rental_id)


#: how long a meter waits for what a silent machine may have signed
SETTLED_S = 121
#: by state: the seconds that go by in turn, then the code that the failure is told by
DEAD = {
    OFFERED: ((61,), "accept_late"),
    "accepted": ((61,), "prepare_late"),
    "preparing": ((901,), "start_late"),
    "running": ((3601, 3601 + 301), "lease_ended"),
    "collecting": ((301,), "renter_ended"),
    "gone": ((301,), "renter_ended"),
}
#: later than any lease here and the quarantine after it
QUARANTINED_S = 3 * 3600


def die_for_good(stack: Stack, renter: Renter, state: str, victim: str) -> str:
    """Rent, see the victim die before the site hears more, and return the rental's id."""
    # The site does not hear of the last state, so that there is a deadline to be late for.
    moment = Moment.BEFORE if state in (OFFERED, "gone") else Moment.AFTER
    kill = kill_on_the_way_up if state in WAY_UP else kill_on_the_way_down
    rental_id = kill(stack, renter, state, moment, (victim,))
    if state == "running":
        until(stack.books.are_all_reachable, "its door is seen")
    return rental_id


@pytest.mark.parametrize("state", [OFFERED, "preparing", "running", "collecting"])
def test_a_site_that_is_away_ends_nothing(stack: Stack, renter: Renter, state: str) -> None:
    rental_id = die_for_good(stack, renter, state, "web")
    was = stack.books.ending()
    # Later than every deadline but the end of the lease.
    stack.python("-m", "tests.journeys.later", "--unheard", "1000")
    assert stack.books.ending() == was
    start_again(stack, ("web",))
    (goes_on if state in WAY_UP else comes_to_its_end)(stack, renter, rental_id)


@pytest.mark.parametrize("state", DEAD)
def test_what_dies_for_good_holds_nothing_after_its_deadline(
    stack: Stack, renter: Renter, state: str
) -> None:
    rental_id = die_for_good(stack, renter, state, "agent")
    # What the site heard of last: a busy machine may have passed the state unheard.
    seconds, code = DEAD.get(stack.books.ending()[0], DEAD[state])
    more = (*seconds, seconds[-1] + SETTLED_S)
    stack.python("-m", "tests.journeys.later", *map(str, more))
    assert stack.books.ending() == ("failed", "machine", code)
    # Its machine may still run it: the money is free, the rest is kept for the quarantine.
    assert set(stack.books.left_over()) == {
        "placements not freed",
        "placements not gone",
        "machines not free",
    }
    stack.python("-m", "tests.journeys.later", str(QUARANTINED_S))
    assert set(stack.books.left_over()) == {"placements not gone"}
    start_again(stack, ("agent",))
    assert renter.see(rental_id)["state"] == "failed"
    stack.everything_is_given_back()
