"""Stopping, starting, restarting, resetting and changing a rental, as its renter asks for it."""

from collections.abc import Callable
from uuid import UUID

import pytest

from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.actions.remove_ssh_key import SshKeyNotFound
from marketplace.accounts.models import User
from marketplace.domain.matching import MachineOffline, OfferTaken
from marketplace.domain.rental import RentalState
from marketplace.ledger import audit
from marketplace.machines.models import Machine
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from marketplace.placements.actions.alter import NotRunning
from marketplace.placements.models import Placement
from marketplace.placements.workload import ImageMalformed, WorkloadInvalid
from marketplace.rentals import queries
from marketplace.rentals.actions import (
    change,
    end,
    expire,
    extend,
    reset,
    restart,
    set_keys,
    start,
    stop,
)
from marketplace.rentals.keys import SshKeyMissing
from marketplace.rentals.models import Rental
from protocol.agent import ObservedState, RegistryLogin, SyncReply
from protocol.hardware import Resources
from protocol.signing import openssh_public_key
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import GIB, HOST_KEY, NOW, after

SECOND_MICROUSD = CPU_HOUR_MICROUSD // 3600
LOGIN = RegistryLogin(username="alice", password="open sesame")


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 10_000_000)
    give_key(alice)
    return alice


@pytest.fixture
def rental(market: Market, renter: User) -> Rental:
    """A rental whose door was seen at 2 s."""
    made = market.rent(renter)
    market.run(made, at=after(1))
    return made


def tell(
    market: Market, rental: Rental, at: float, state: str = "running", **more: object
) -> SyncReply:
    told = market.agent.observed(rental.placement_id, ObservedState(state), run=1, **more)
    return market.agent.sync(after(at), placements=[told])


def row(rental: Rental) -> Placement:
    return Placement.objects.get(id=rental.placement_id)


def test_other_keys_open_a_running_rental_from_now_on(
    market: Market, renter: User, bob: User, rental: Rental
) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk}
    before = market.agent.sync(after(3)).revision
    line = openssh_public_key("cd" * 32)
    new = add_ssh_key.add(user_id=renter.pk, name="desk", public_key=line, now=after(3))
    set_keys.set_keys(**who, ssh_key_ids=[new.id])
    reply = market.agent.sync(after(4))
    assert (reply.desired[0].authorized_keys, reply.revision) == ((line,), before + 1)
    assert queries.view(rental.id, renter.pk, NOW).ssh_keys == (new.fingerprint,)
    set_keys.set_keys(**who, ssh_key_ids=[new.id])
    assert market.agent.sync(after(5)).revision == before + 1
    stop.stop(**who, now=after(6))
    set_keys.set_keys(**who, ssh_key_ids=None)
    assert len(market.agent.sync(after(7)).desired[0].authorized_keys) == 2
    theirs = add_ssh_key.add(user_id=bob.pk, name="", public_key=line, now=NOW)
    with pytest.raises(SshKeyNotFound):
        set_keys.set_keys(**who, ssh_key_ids=[new.id, theirs.id])
    with pytest.raises(queries.RentalUnknown):
        set_keys.set_keys(rental_id=rental.id, renter_id=bob.pk, ssh_key_ids=None)
    renter.ssh_keys.all().delete()
    with pytest.raises(SshKeyMissing):
        set_keys.set_keys(**who, ssh_key_ids=None)
    give_key(renter)
    end.end(**who, now=after(8))
    with pytest.raises(extend.RentalOver):
        set_keys.set_keys(**who, ssh_key_ids=None)
    assert len(row(rental).authorized_keys) == 2


def test_nothing_is_charged_between_a_stop_and_the_next_look_at_the_door(
    market: Market, renter: User, rental: Rental
) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk}
    agent, placement_id = market.agent, rental.placement_id
    market.look(at=after(60))
    agent.sync(after(62))
    for _ in range(2):
        stop.stop(**who, now=after(62))
    assert queries.view(rental.id, renter.pk, NOW).state == RentalState.STOPPING
    agent.sync(after(63))
    last = agent.count(placement_id, 0, 64_000)
    told = agent.observed(placement_id, ObservedState.STOPPED, run=1, age_ms=65_000)
    agent.sync(after(66), placements=[told], intervals=[last])
    charge_all(now=after(66))
    # From the door at 2 s to the stop at 62 s.
    assert Meter.objects.get().charged_microusd == 60 * SECOND_MICROUSD
    view = queries.view(rental.id, renter.pk, NOW)
    assert (view.state, view.ssh_command, view.reason_code) == (
        RentalState.STOPPED,
        "",
        "renter_stopped",
    )

    start.start(**who, now=after(1000))
    assert queries.view(rental.id, renter.pk, NOW).state == RentalState.QUEUED
    agent.sync(after(1000))
    again = {"run": 2, "ssh_port": 20001, "ssh_host_key": HOST_KEY}
    told = agent.observed(placement_id, ObservedState.RUNNING, age_ms=0, **again)
    agent.sync(after(1001), placements=[told])
    assert queries.view(rental.id, renter.pk, NOW).state == RentalState.STARTING
    market.see(at=after(1005))
    market.look(at=after(1065))
    agent.sync(after(1066))
    seconds = agent.count(placement_id, 0, 65_000, run=2)
    told = agent.observed(placement_id, ObservedState.RUNNING, age_ms=65_500, run=2)
    agent.sync(after(1067), placements=[told], intervals=[seconds])
    charge_all(now=after(1067))
    # From the new look at 1005 s to the newest at 1065 s.
    assert Meter.objects.get().charged_microusd == 120 * SECOND_MICROUSD
    end.end(**who, now=after(1070))
    market.end(rental, at=after(1071))
    assert audit.audit() == []


def test_seconds_of_the_run_before_a_stop_are_never_billed_to_the_one_after_it(
    market: Market, renter: User, rental: Rental
) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk}
    stop.stop(**who, now=after(10))
    market.halt(rental, at=after(12))
    start.start(**who, now=after(20))
    market.agent.sync(after(20))
    told = {"ssh_port": 20001, "ssh_host_key": HOST_KEY, "age_ms": 20_000}
    tell(market, rental, 21, **told)
    market.see(at=after(22))
    market.look(at=after(40))
    market.agent.sync(after(41))
    seconds = market.agent.count(rental.placement_id, 0, 40_000)
    same_run = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=41_000
    )
    market.agent.sync(after(42), placements=[same_run], intervals=[seconds])
    charge_all(now=after(42))
    assert Meter.objects.get().charged_ms == 18_000


def test_a_stopped_rental_may_be_extended_and_ends_with_its_lease(
    market: Market, renter: User, rental: Rental
) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk}
    stop.stop(**who, now=after(10))
    market.halt(rental, at=after(12))
    asked = extend.Asked(lease_s=4000)
    extend.extend(**who, asked=asked, idempotency_key="more", now=after(20))
    assert expire.expire(now=after(3600)) == 0
    assert expire.expire(now=after(4000)) == 1
    view = queries.view(rental.id, renter.pk, after(4000))
    assert (view.state, view.reason_code) == (RentalState.ENDING, "lease_ended")
    for call in (stop.stop, start.start):
        with pytest.raises(extend.RentalOver):
            call(**who, now=after(4001))


def test_a_start_says_what_is_in_its_way(market: Market, renter: User, rental: Rental) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk, "now": after(20)}
    stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(10))
    market.halt(rental, at=after(12))
    whole = Resources.of(cpus=4, ram_bytes=GIB, disk_bytes=GIB)
    market.rent(renter, now=after(13), resources=whole, lease_s=60)
    with pytest.raises(OfferTaken, match="its files are kept"):
        start.start(**who)
    Machine.objects.update(online=False)
    with pytest.raises(MachineOffline, match="its files are kept"):
        start.start(**who)


@pytest.mark.parametrize("verb", [stop.stop, start.start])
def test_nobody_stops_or_starts_what_is_not_theirs(
    rental: Rental, bob: User, verb: Callable[..., None]
) -> None:
    with pytest.raises(queries.RentalUnknown):
        verb(rental_id=rental.id, renter_id=bob.pk, now=NOW)


@pytest.mark.parametrize("verb", [restart.restart, reset.reset])
def test_a_restart_and_a_reset_reach_the_machine_and_need_a_running_rental(
    market: Market, renter: User, rental: Rental, bob: User, verb: Callable[..., None]
) -> None:
    verb(rental_id=rental.id, renter_id=renter.pk)
    (desired,) = market.agent.sync(after(5)).desired
    assert desired.restarts + desired.resets == 1
    assert desired.edition == 0
    with pytest.raises(queries.RentalUnknown):
        verb(rental_id=rental.id, renter_id=bob.pk)
    stop.stop(rental_id=rental.id, renter_id=renter.pk, now=after(10))
    with pytest.raises(NotRunning):
        verb(rental_id=rental.id, renter_id=renter.pk)


def ask(rental: Rental, renter: User, **parts: object) -> None:
    change.change(rental_id=rental.id, renter_id=renter.pk, parts=parts)  # type: ignore[arg-type]


def test_a_change_is_done_once_its_edition_runs(
    market: Market, renter: User, rental: Rental
) -> None:
    ask(rental, renter, image="debian:13", environment={"A": "1"}, ports=(8080,))
    ask(rental, renter, image="debian:13")
    (desired,) = market.agent.sync(after(5)).desired
    assert (desired.edition, desired.workload.image) == (1, "debian:13")
    assert desired.workload.ports == (8080,)
    with pytest.raises(change.ChangePending):
        ask(rental, renter, image="debian:14")
    tell(market, rental, 6)
    assert queries.view(rental.id, renter.pk, NOW).changing
    published = [{"inside": 8080, "outside": 20002}]
    tell(market, rental, 8, edition=1, ports=published)
    view = queries.view(rental.id, renter.pk, NOW)
    assert (view.changing, view.edition, view.image) == (False, 1, "debian:13")
    assert [(port.inside, port.outside) for port in view.ports] == [(8080, 20002)]
    ask(rental, renter, command=("sleep", "1"))
    assert row(rental).edition == 2


def test_a_change_that_cannot_run_is_taken_back_and_says_why(
    market: Market, renter: User, rental: Rental
) -> None:
    ask(rental, renter, image="nowhere:1")
    market.agent.sync(after(5))
    problem = {"code": "image_unknown", "message": "No registry has nowhere:1."}
    before = Machine.objects.get().desired_revision
    reply = tell(market, rental, 6, change_problem=problem, problem_edition=1)
    assert Machine.objects.get().desired_revision > before
    assert (reply.desired[0].edition, reply.desired[0].workload.image) == (0, "debian:12")
    view = queries.view(rental.id, renter.pk, NOW)
    assert (view.image, view.changing, view.edition) == ("debian:12", False, 0)
    assert (view.change_code, view.change_reason) == (problem["code"], problem["message"])
    # The next one has a number of its own, which an old report says nothing of.
    ask(rental, renter, image="debian:13")
    tell(market, rental, 7, change_problem=problem, problem_edition=1)
    it = row(rental)
    assert (it.edition, it.workload["image"], it.change_code) == (2, "debian:13", "")


def test_a_reset_that_cannot_run_says_why(market: Market, renter: User, rental: Rental) -> None:
    reset.reset(rental_id=rental.id, renter_id=renter.pk)
    problem = {"code": "start_failed", "message": "It did not start."}
    tell(market, rental, 6, change_problem=problem)
    assert queries.view(rental.id, renter.pk, NOW).change_reason == "It did not start."


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ({"image": "--privileged"}, ImageMalformed),
        ({"ports": (22,)}, WorkloadInvalid),
        ({"ports": (80, 80)}, WorkloadInvalid),
        ({"command": ("x" * 5000,)}, WorkloadInvalid),
        ({"runtime": "../runc"}, WorkloadInvalid),
    ],
)
def test_what_cannot_run_anywhere_is_refused_at_once(
    rental: Rental, renter: User, parts: dict[str, object], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        ask(rental, renter, **parts)
    assert row(rental).edition == 0


def test_a_refusal_never_repeats_what_may_be_a_password(rental: Rental, renter: User) -> None:
    with pytest.raises(WorkloadInvalid) as refused:
        ask(rental, renter, environment={"TOKEN": "open sesame" * 4000})
    assert "sesame" not in str(refused.value)


def logins(market: Market, at: float) -> list[UUID]:
    desired = market.agent.sync(after(at)).desired
    return [one.placement_id for one in desired if one.registry_login == LOGIN]


def test_a_registry_login_reaches_the_machine_until_it_runs_and_no_one_else(
    market: Market, renter: User
) -> None:
    rental = market.rent(renter, registry_login=LOGIN)
    assert LOGIN.password not in row(rental).registry_login
    assert logins(market, 1) == [rental.placement_id]
    tell(market, rental, 2, "preparing")
    assert logins(market, 3) == [rental.placement_id]
    tell(market, rental, 4)
    assert logins(market, 5) == []
    assert row(rental).registry_login == ""


@pytest.mark.parametrize("how", ["end", "refused"])
def test_a_registry_login_is_forgotten_with_the_change_or_rental_that_needs_it(
    market: Market, renter: User, rental: Rental, how: str
) -> None:
    who = {"rental_id": rental.id, "renter_id": renter.pk}
    change.change(**who, parts={"image": "private:1"}, registry_login=LOGIN)
    assert logins(market, 3) == [rental.placement_id]
    if how == "end":
        end.end(**who, now=after(4))
    else:
        problem = {"code": "image_pull_failed", "message": "The registry said 401."}
        tell(market, rental, 5, change_problem=problem, problem_edition=1)
    assert logins(market, 6) == []
    assert row(rental).registry_login == ""


def test_a_registry_login_of_another_secret_key_is_none(
    market: Market, renter: User, settings: object
) -> None:
    market.rent(renter, registry_login=LOGIN)
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    assert logins(market, 1) == []
