"""A volume holds its disk from the rental that makes it until its machine says that it is gone."""

from collections.abc import Callable
from datetime import datetime

import pytest

from marketplace.accounts.models import User
from marketplace.domain.matching import OfferTaken
from marketplace.ledger import queries as ledger
from marketplace.placements.workload import WorkloadInvalid
from marketplace.rentals import queries as rentals
from marketplace.rentals.actions import end
from marketplace.rentals.models import Rental
from marketplace.volumes import queries
from marketplace.volumes.actions.claim import (
    VOLUMES_MAX,
    Asked,
    VolumeGoing,
    VolumeInUse,
    VolumeSizeWrong,
    VolumesMany,
)
from marketplace.volumes.actions.delete import delete
from marketplace.volumes.models import Volume
from protocol.agent import SyncReply
from protocol.workload import VolumeState
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import GIB, NOW, after

DATA = Asked(name="data", path="/data", size_bytes=10 * GIB)


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


def disk_free(market: Market) -> int:
    market.machine.refresh_from_db()
    return market.machine.disk_bytes_free // GIB


def finish(market: Market, rental: Rental, *, at: datetime) -> None:
    end.end(rental_id=rental.id, renter_id=rental.renter_id, now=at)
    market.end(rental, at=at)


def say(market: Market, at: float, state: VolumeState, **more: object) -> SyncReply:
    volume = Volume.objects.get(name="data")
    told = {"volume_id": volume.id, "state": state, **more}
    return market.agent.sync(after(at), volumes=[told])


def test_a_volume_outlives_its_rental_and_goes_only_when_its_renter_deletes_it(
    market: Market, renter: User
) -> None:
    rental = market.rent(renter, volumes=[DATA])
    assert disk_free(market) == 100 - 10 - 2
    reply = market.agent.sync(after(1))
    (volume,) = reply.volumes
    assert (volume.size_bytes, volume.remove) == (10 * GIB, False)
    (mount,) = reply.desired[0].workload.volumes
    assert (mount.volume_id, mount.path) == (volume.volume_id, "/data")
    (told,) = rentals.view(rental.id, renter.pk, NOW).volumes
    assert (told.name, told.path, told.size_bytes) == ("data", "/data", 10 * GIB)
    assert queries.of_renter(renter.pk).get().state == "making"
    say(market, 2, VolumeState.READY)
    assert queries.of_renter(renter.pk).get().state == "ready"
    with pytest.raises(VolumeInUse):
        delete(volume_id=volume.volume_id, renter_id=renter.pk, now=after(2))

    finish(market, rental, at=after(10))
    assert disk_free(market) == 100 - 10
    # Nobody asked for its end, so that its machine speaks of it as gone changes nothing.
    assert len(say(market, 11, VolumeState.GONE).volumes) == 1
    again = market.rent(renter, now=after(12), volumes=[Asked(name="data", path="/elsewhere")])
    assert disk_free(market) == 100 - 10 - 2
    assert Volume.objects.count() == 1
    finish(market, again, at=after(20))

    for _ in range(2):
        delete(volume_id=volume.volume_id, renter_id=renter.pk, now=after(21))
    assert queries.of_renter(renter.pk).get().state == "deleting"
    assert market.agent.sync(after(22)).volumes[0].remove
    assert disk_free(market) == 100 - 10
    assert say(market, 23, VolumeState.GONE).volumes == ()
    assert disk_free(market) == 100
    assert rentals.view(rental.id, renter.pk, NOW).volumes[0].name == ""


def test_a_volume_that_could_not_be_made_says_why(market: Market, renter: User) -> None:
    market.rent(renter, volumes=[DATA])
    problem = {"code": "disk_full", "message": "The disk is full."}
    say(market, 2, VolumeState.REFUSED, problem=problem)
    volume = queries.of_renter(renter.pk).get()
    assert (volume.state, volume.problem) == ("refused", "The disk is full.")
    say(market, 3, VolumeState.READY)
    assert queries.of_renter(renter.pk).get().state == "ready"


def test_a_volume_that_was_lost_and_is_found_again_is_ready(market: Market, renter: User) -> None:
    market.rent(renter, volumes=[DATA])
    say(market, 2, VolumeState.READY)
    lost = {"code": "volume_lost", "message": "Its file is not there."}
    say(market, 3, VolumeState.REFUSED, problem=lost)
    assert queries.of_renter(renter.pk).get().state == "refused"
    say(market, 4, VolumeState.READY)
    volume = queries.of_renter(renter.pk).get()
    assert (volume.state, volume.problem, volume.ready_at) == ("ready", "", after(2))


def test_no_machine_speaks_of_anothers_volumes(market: Market, renter: User, bob: User) -> None:
    rental = market.rent(renter, volumes=[DATA])
    finish(market, rental, at=after(5))
    volume = Volume.objects.get()
    delete(volume_id=volume.id, renter_id=renter.pk, now=after(6))
    other = Market.open(bob, verified=False)
    told = {"volume_id": volume.id, "state": VolumeState.GONE}
    other.agent.sync(after(7), volumes=[told])
    assert Volume.objects.exists()


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (Asked(name="new", path="/new"), VolumeSizeWrong),
        (Asked(name="new", path="/new", size_bytes=5), VolumeSizeWrong),
        (Asked(name="data", path="/data", size_bytes=GIB), VolumeSizeWrong),
        (Asked(name="new", path="/new", size_bytes=99 * GIB), OfferTaken),
        (Asked(name="new", path="/etc", size_bytes=GIB), WorkloadInvalid),
        (Asked(name="new", path="../up", size_bytes=GIB), WorkloadInvalid),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing_behind(
    market: Market, renter: User, asked: Asked, refusal: type[Exception]
) -> None:
    finish(market, market.rent(renter, volumes=[DATA]), at=after(5))
    held = ledger.held(renter.pk)
    with pytest.raises(refusal):
        market.rent(renter, now=after(6), volumes=[asked])
    assert (Volume.objects.count(), disk_free(market)) == (1, 90)
    assert ledger.held(renter.pk) == held


def test_a_volume_is_in_one_rental_at_a_time(market: Market, renter: User) -> None:
    rental = market.rent(renter, volumes=[DATA])
    use = [Asked(name="data", path="/data")]
    with pytest.raises(VolumeInUse):
        market.rent(renter, volumes=use)
    # It may still be mounted until the machine says that nothing is left.
    end.end(rental_id=rental.id, renter_id=renter.pk, now=after(1))
    with pytest.raises(VolumeInUse):
        market.rent(renter, now=after(2), volumes=use)
    market.end(rental, at=after(3))
    delete(volume_id=Volume.objects.get().id, renter_id=renter.pk, now=after(4))
    with pytest.raises(VolumeGoing):
        market.rent(renter, now=after(5), volumes=use)


def test_a_renter_has_so_many_volumes_on_a_machine(market: Market, renter: User) -> None:
    many = [Asked(name=f"v{n}", path=f"/v{n}", size_bytes=1 << 20) for n in range(VOLUMES_MAX)]
    for some in (many[:8], many[8:]):
        finish(market, market.rent(renter, volumes=some), at=after(1))
    with pytest.raises(VolumesMany):
        market.rent(renter, now=after(2), volumes=[DATA])


def test_nobody_uses_or_deletes_what_is_anothers(
    market: Market, renter: User, bob: User, give: Callable[..., None]
) -> None:
    finish(market, market.rent(renter, volumes=[DATA]), at=after(5))
    with pytest.raises(queries.VolumeUnknown):
        delete(volume_id=Volume.objects.get().id, renter_id=bob.pk, now=NOW)
    give(bob, 100_000_000)
    give_key(bob)
    with pytest.raises(VolumeSizeWrong):
        market.rent(bob, now=after(6), volumes=[Asked(name="data", path="/data")])
    market.rent(bob, now=after(6), volumes=[DATA])
    assert Volume.objects.filter(name="data").count() == 2
