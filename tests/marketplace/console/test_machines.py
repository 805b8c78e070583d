"""Staff find machines, see what settles a dispute about one, and take one off the market."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import User
from marketplace.console import machines as queries
from marketplace.console.actions.ban_machine import (
    NoSuchMachine,
    NothingThere,
    ban_machine,
    end_there,
    lift_machine,
)
from marketplace.console.models import StaffRole
from marketplace.console.staff import NotYourRole, OwnCase, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.matching import MachineUnverified
from marketplace.domain.notices import ALWAYS_WRITTEN
from marketplace.domain.oversight import Role
from marketplace.domain.standing import StandingState
from marketplace.ledger import queries as ledger
from marketplace.machines.models import Machine
from marketplace.metering.actions.audit_money import audit_money
from marketplace.metering.actions.charge import charge_all
from marketplace.notices.models import Notice
from marketplace.offers.actions.refresh import refresh_all
from marketplace.offers.models import Offer
from marketplace.oversight.models import Act
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from marketplace.verification import queries as verification
from marketplace.verification.actions.appeal import answer, appeal
from marketplace.verification.actions.ban import MachineBannedAlready, MachineNotBanned
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import Doings, epoch_at, epoch_record
from marketplace.verification.models import MachineStanding, StandingEvent
from protocol.validator import VerdictState
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import after
from tests.marketplace.staffed import browser, staff, with_app
from tests.marketplace.verification.test_hold_ban import MARKS
from tests.marketplace.verification.test_marks import see

WHY = "It reads what renters write."


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(1))
    return rental


def state(machine_id: UUID, at: float = 10) -> verification.Standing:
    return verification.standings(Machine.objects.all(), after(at))[machine_id]


def listed(client: Client, asked: str) -> list[str]:
    reply = client.get(f"/console/machines/{asked}")
    assert reply.status_code == 200
    return [line.id for line in reply.context["machines"]]


def test_machines_are_found_by_what_staff_know_of_them(as_support: Client, market: Market) -> None:
    mine = str(market.machine.id)
    other = scene.machine(of=scene.hardware(gpus=2), host=scene.user("other@example.org"))
    Machine.objects.filter(id=other.id).update(address="gpu.example.org", online=False)
    theirs = str(other.id)
    for asked, found in (
        (f"?q={mine[:8]}", [mine]),
        (f"?q={mine}", [mine]),
        (f"?q={mine[:9].upper()}", [mine]),
        ("?q=charlie@", [mine]),
        ("?q=gpu.ex", [theirs]),
        ("?gpu=h100", [theirs]),
        ("?state=away", [theirs]),
        ("?state=online", [mine]),
        ("?state=verified", [mine]),
        ("?state=new", [theirs]),
        ("?state=banned", []),
        ("?q=nobody@", []),
        ("?q=%25", []),
        ("?after=x&state=y", sorted([mine, theirs])),
    ):
        assert listed(as_support, asked) == found, asked


def test_a_page_of_machines_looks_at_so_many_and_the_next_goes_on(db: None) -> None:
    ids = sorted(scene.machine(host=scene.user()).id for _ in range(3))
    first = queries.machines(limit=2)
    assert ([one.id for one in first.machines], first.after) == (ids[:2], ids[1])
    assert [one.id for one in queries.machines(limit=2, after=first.after).machines] == ids[2:]
    bounded = queries.machines(gpu="none has it", scanned=2)
    assert (bounded.machines, bounded.after) == ((), ids[1])
    assert queries.machines(gpu="none", scanned=2, after=ids[1]).after is None


def test_the_list_asks_the_database_equally_often_however_many_there_are(
    as_support: Client,
) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            as_support.get("/console/machines/?state=online")
        return len(asked)

    for number in range(2):
        scene.machine(host=scene.user(f"{number}@example.org"))
    few = questions()
    for number in range(2, 20):
        scene.machine(host=scene.user(f"{number}@example.org"))
    assert questions() == few


def test_a_machines_page_shows_what_it_delivered_and_who_says_so(
    as_support: Client, market: Market, rental: Rental
) -> None:
    page = as_support.get(f"/console/machines/{market.machine.id}/")
    html = page.content.decode()
    for words in (
        "charlie@example.com",
        str(rental.id),
        "Newest verdicts",
        "127.0.0.1:7000",
        "Verified",
    ):
        assert words in html
    assert "Ban this machine" not in html
    assert as_support.get(f"/console/machines/{uuid4()}/").status_code == 404


def test_nobody_else_sees_or_bans_a_machine(
    as_finance: Client, alice: User, charlie: User, market: Market
) -> None:
    where = f"/console/machines/{market.machine.id}/"
    for client, refused in ((Client(), 302), (browser(alice), 404), (browser(charlie), 404)):
        for path in (where, "/console/machines/", f"{where}ban", f"{where}lift", f"{where}end"):
            act = client.post if path.endswith(("ban", "lift", "end")) else client.get
            assert act(path, {"reason": "x"}).status_code == refused, path
    for what in ("ban", "lift", "end"):
        assert as_finance.post(f"{where}{what}", {"reason": "x"}).status_code == 403
    finance = as_staff(staff("another", Role.FINANCE))
    assert finance is not None
    for do in (ban_machine, lift_machine, end_there):
        with pytest.raises(NotYourRole):
            do(by=finance, machine_id=market.machine.id, reason="x", now=after(1))
    assert not Act.objects.exists()


def test_a_banned_machine_takes_nobody_new_at_once_and_its_host_reads_why(
    as_admin: Client, market: Market, alice: User, charlie: User, rental: Rental
) -> None:
    as_admin.post(f"/console/machines/{market.machine.id}/ban", {"reason": f"  {WHY}"})
    assert Offer.objects.get().verified_until is None
    with pytest.raises(MachineUnverified):
        market.rent(alice, now=after(2), idempotency_key="new")
    # A good verdict changes nothing, and no pass lists it again.
    record(signed=scene.Judge().verdict(market.machine, checked_at_ms=at_ms(3)), now=after(3))
    refresh_all(now=after(4))
    assert Offer.objects.get().verified_until is None
    assert state(market.machine.id).state is StandingState.BANNED
    # Who is there goes on.
    assert Placement.objects.get(rental=rental).state == "running"
    told = Notice.objects.get(kind="machine_banned")
    assert told.user == charlie
    assert told.text.startswith(WHY)
    assert "machine_banned" in ALWAYS_WRITTEN
    assert WHY in StandingEvent.objects.get(machine=market.machine, state="banned").text
    act = Act.objects.get()
    assert (act.kind, act.person, act.reason) == ("ban-machine", charlie, WHY)
    # Everybody else reads that, and not why.
    public = Client().get(f"/machines/{market.machine.id}/verification/").content.decode()
    assert "Staff of the site banned" in public
    assert WHY not in public
    page = as_admin.get(f"/console/machines/{market.machine.id}/").content.decode()
    assert WHY in page
    assert "Lift the ban" in page
    own = browser(charlie).get(f"/host/machines/{market.machine.id}/").content.decode()
    assert WHY in own


def at_ms(seconds: float) -> int:
    return int(after(seconds).timestamp() * 1000)


def test_a_ban_by_staff_takes_no_points(by: Staff, market: Market) -> None:
    ban_machine(by=by, machine_id=market.machine.id, reason=WHY, now=after(2))
    record_ = epoch_record(epoch_at(after(3)), now=after(3), doings=Doings())
    (line,) = record_.machines
    assert (line.has_valid_verdict, line.is_banned) == (True, False)


def test_a_lifted_ban_has_the_machine_proven_anew_and_offered_again(
    by: Staff, market: Market, charlie: User
) -> None:
    machine_id = market.machine.id
    ban_machine(by=by, machine_id=machine_id, reason=WHY, now=after(2))
    lift_machine(by=by, machine_id=machine_id, reason="It was another.", now=after(3))
    assert state(machine_id).state is StandingState.NEW
    record(signed=scene.Judge().verdict(market.machine, checked_at_ms=at_ms(4)), now=after(4))
    refresh_all(now=after(4))
    assert state(machine_id).state is StandingState.VERIFIED
    assert Offer.objects.get().verified_until is not None
    assert Notice.objects.filter(kind="machine_restored", user=charlie).exists()
    assert [act.kind for act in Act.objects.all()] == ["lift-machine-ban", "ban-machine"]


def test_a_ban_of_validators_is_not_lifted_and_outlasts_one_of_staff(
    by: Staff, market: Market
) -> None:
    machine_id = market.machine.id
    ban_machine(by=by, machine_id=machine_id, reason=WHY, now=after(2))
    bad = scene.Judge().verdict(market.machine, checked_at_ms=at_ms(3), state=VerdictState.BANNED)
    record(signed=bad, now=after(3))
    lift_machine(by=by, machine_id=machine_id, reason="x", now=after(4))
    assert state(machine_id).state is StandingState.BANNED
    assert not MachineStanding.objects.get().ban_reason
    with pytest.raises(MachineNotBanned):
        lift_machine(by=by, machine_id=machine_id, reason="x", now=after(5))
    with pytest.raises(MachineBannedAlready):
        ban_machine(by=by, machine_id=machine_id, reason="x", now=after(5))


def test_a_host_appeals_against_a_ban_of_staff(by: Staff, market: Market, charlie: User) -> None:
    machine_id = market.machine.id
    ban_machine(by=by, machine_id=machine_id, reason=WHY, now=after(2))
    appeal(host_id=charlie.pk, machine_id=machine_id, text="It does not.", now=after(3))
    answer(machine_id=machine_id, granted=True, words="True.", now=after(4))
    noted = MachineStanding.objects.get()
    assert (noted.banned_at, noted.ban_reason) == (None, "")


def test_what_runs_on_a_banned_machine_ends_only_by_an_act_of_its_own(
    as_admin: Client, by: Staff, market: Market, rental: Rental, alice: User, charlie: User
) -> None:
    machine_id = market.machine.id
    with pytest.raises(MachineNotBanned):
        end_there(by=by, machine_id=machine_id, reason="x", now=after(2))
    ban_machine(by=by, machine_id=machine_id, reason=WHY, now=after(2))
    page = as_admin.get(f"/console/machines/{machine_id}/").content.decode()
    assert "End what runs there" in page
    as_admin.post(f"/console/machines/{machine_id}/end", {"reason": "They read the disks."})
    ended = Placement.objects.get(rental=rental)
    assert (ended.want, ended.reason_code) == ("end", "machine_banned")
    act = Act.objects.filter(kind="end-what-runs-there").get()
    assert act.after == {"banned": True, "ended": 1}
    with pytest.raises(NothingThere):
        end_there(by=by, machine_id=machine_id, reason="x", now=after(3))
    market.end(rental, at=after(20))
    charge_all(now=after(21))
    assert ledger.held(alice.pk) == 0
    assert audit_money(now=after(30)).problems == []


def test_refused_bans_change_nothing(by: Staff, market: Market, charlie: User) -> None:
    machine_id = market.machine.id
    with pytest.raises(NoSuchMachine):
        ban_machine(by=by, machine_id=uuid4(), reason="x", now=after(1))
    with pytest.raises(ReasonUnfit):
        ban_machine(by=by, machine_id=machine_id, reason=" \n", now=after(1))
    with pytest.raises(MachineNotBanned):
        lift_machine(by=by, machine_id=machine_id, reason="x", now=after(1))
    StaffRole.objects.create(user=charlie, role=Role.ADMIN, given_at=after(0))
    own = as_staff(charlie)
    assert own is not None
    for act in (ban_machine, lift_machine, end_there):
        with pytest.raises(OwnCase):
            act(by=own, machine_id=machine_id, reason="x", now=after(1))
    page = browser(with_app(charlie)).get(f"/console/machines/{machine_id}/").content.decode()
    assert "Ban this machine" not in page
    assert state(machine_id).state is StandingState.VERIFIED
    assert not Act.objects.exists()
    assert not Notice.objects.exists()


def test_a_ban_of_staff_holds_under_another_key_and_stays_theirs(by: Staff, charlie: User) -> None:
    judge = scene.Judge().admitted()
    first = scene.machine(host=charlie)
    see(judge, first, **MARKS)
    ban_machine(by=by, machine_id=first.id, reason=WHY, now=after(2))
    anew = scene.machine(host=charlie)
    Machine.objects.filter(id=anew.id).update(control_port=7001)
    see(judge, anew, at=5, **MARKS)
    held = MachineStanding.objects.get(machine=anew)
    assert (held.banned_at, held.ban_reason) == (after(5), WHY)
    lift_machine(by=by, machine_id=first.id, reason="x", now=after(6))
    see(judge, first, at=7, **MARKS)
    assert state(first.id).state is StandingState.VERIFIED
