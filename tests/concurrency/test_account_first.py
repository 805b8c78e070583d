"""Whoever locks an account does so first, and several by their ids: nobody waits in a ring."""

from collections.abc import Callable
from datetime import datetime
from threading import Event

from django.db import connection, transaction

from marketplace.accounts.actions import lock_account
from marketplace.accounts.models import Membership, User
from marketplace.console.actions.set_roles import set_roles
from marketplace.console.staff import Staff
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import Role
from marketplace.domain.team import Role as InTeam
from marketplace.jobs.actions import run
from marketplace.jobs.models import Job
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.own_data.actions.delete_account import delete
from marketplace.rentals.actions.count_proof import count_proof
from marketplace.rentals.models import RentalProof
from protocol.hardware import Resources
from tests.concurrency.conftest import Race
from tests.concurrency.waiting import PATIENCE_S, until_somebody_waits
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after
from tests.marketplace.teams import team_of


def meanwhile(
    race: Race, account: User, first: Callable[[], object], other: Callable[[], object]
) -> list[object]:
    """Return what ``first`` did behind the account's lock while ``other`` waited, and the other."""
    begun = Event()

    def holding() -> object:
        with transaction.atomic():
            lock_account.lock(user_id=account.pk)
            begun.set()
            until_somebody_waits()
            return first()

    def waiting() -> object:
        assert begun.wait(PATIENCE_S)
        return other()

    return race([holding, waiting])


def test_a_job_that_begins_while_a_proof_of_its_renter_counts_waits_with_nothing(
    race: Race,
) -> None:
    alice, charlie = (User.objects.create_user(f"{name}@example.com") for name in ("a", "c"))
    market = Market.open(charlie)
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(10_000_000),
        kind=TransferKind.TOP_UP,
        cause="gift",
        now=after(0),
    )
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    read(rental, until=101)
    measure(rental, second=101, rate=LISTED * 7 // 10)
    proof = passed(rental, second=101, rate=LISTED * 7 // 10)
    asked = run.Asked(
        offer_id=market.offer.id,
        parts={"image": "debian:12", "command": ("true",)},
        inputs=(),
        resources=Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB),
        run_limit_s=60,
        outputs_bytes_max=1 << 20,
    )
    counted, job = meanwhile(
        race,
        alice,
        lambda: count_proof(proof_id=proof.id, now=after(102)),
        lambda: run.run(renter_id=alice.pk, asked=asked, idempotency_key="k", now=after(102)),
    )
    assert (counted, type(job)) == (None, Job)
    assert RentalProof.objects.get(id=proof.id).returned_microusd == 30_000


def test_whoever_deletes_their_account_locks_it_behind_an_older_team(
    now: datetime, race: Race
) -> None:
    team = team_of(User.objects.create_user("alice@example.com"), now)
    late = User.objects.create_user("late@example.com")
    Membership.objects.create(team=team, person=late, role=InTeam.MEMBER, since=now)
    assert meanwhile(
        race,
        team,
        lambda: lock_account.lock(user_id=late.pk),
        lambda: delete(user_id=late.pk, now=now),
    ) == [True, None]


def test_two_of_the_staff_who_give_each_other_roles_wait_for_nobody(
    now: datetime, race: Race
) -> None:
    one, two = (User.objects.create_user(f"{name}@berth.example") for name in ("one", "two"))

    def give(by: User, to: User) -> User:
        staff = Staff(by.pk, by.email, frozenset({Role.ADMIN}))
        # What they did names who did it, and that row is locked by whoever gives them a role.
        return set_roles(by=staff, email=to.email, roles={Role.SUPPORT}, reason="x", now=now)

    def give_back() -> User:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '60s'")
        return give(one, two)

    with transaction.atomic():
        assert give(two, one) == one
        assert race([give_back]) == [two]
