"""What took a command on the server is done in the console, read before, and by a role."""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.console.actions.ban import WorksHere
from marketplace.console.actions.correct_invoice import correct_invoice
from marketplace.console.actions.end_rental import end_rental
from marketplace.console.actions.remove_step import NoSecondStep, StepOfSuperuser, remove_step
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.actions.validators import ExpelledAlready, NameMissing, admit, expel
from marketplace.console.staff import NotYourRole, OwnCase, ReasonUnfit, Staff
from marketplace.domain.oversight import Role
from marketplace.domain.placement import PlacementState
from marketplace.metering.actions.audit_money import audit_money
from marketplace.notices.actions.tell_rentals import tell_rentals
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from marketplace.papers.actions.correct import AlreadyCorrected
from marketplace.papers.actions.issue import issue as issue_paper
from marketplace.papers.content import made_out
from marketplace.papers.models import BillingDetails, Paper, PaperKind
from marketplace.papers.queries import InvoiceUnknown
from marketplace.placements.models import Placement
from marketplace.rentals.actions.extend import RentalOver
from marketplace.rentals.models import Rental
from marketplace.rentals.queries import RentalUnknown
from marketplace.verification.actions.admit_validator import HotkeyMalformed, ValidatorUnknown
from marketplace.verification.models import Validator
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import deliver
from tests.marketplace.scene import after
from tests.marketplace.staffed import NOBODY, hired, staff, sure, with_app

HOTKEY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    deliver(market, rental, second=101)
    return rental


@pytest.fixture
def invoice(alice: User) -> Paper:
    BillingDetails.objects.create(user=alice, name="Alice Ltd", next_month=after(0))
    told = made_out(user_id=alice.pk, lines=(), about="Usage of 2026-02 (UTC)")
    kind = PaperKind.INVOICE
    return issue_paper(user_id=alice.pk, kind=kind, content=told, month=after(0), now=after(0))


def test_one_rental_ends_without_its_machine_being_banned(
    by: Staff, market: Market, alice: User, rental: Rental
) -> None:
    tell_rentals(now=after(110))
    end_rental(by=by, rental_id=rental.id, reason="Mining is not allowed.", now=after(120))
    placement = Placement.objects.get(id=rental.placement_id)
    assert (placement.state, placement.reason_code) == (PlacementState.COLLECTING, "staff_ended")
    assert (Act.objects.get().kind, Act.objects.get().person) == ("end-rental", alice)
    # What its machine signs for after this moment counts for nothing.
    deliver(market, rental, second=200)
    market.end(rental, at=after(210))
    rental.refresh_from_db()
    assert rental.meter.charged_ms <= 120_000
    tell_rentals(now=after(300))
    notice = Notice.objects.get(kind="rental_failed")
    assert "Mining is not allowed." in notice.text
    with pytest.raises(RentalOver):
        end_rental(by=by, rental_id=rental.id, reason="x", now=after(310))
    assert audit_money(now=after(320)).problems == []


def test_a_rental_is_ended_by_somebody_else_with_the_right_and_a_reason(
    by: Staff, alice: User, charlie: User, rental: Rental
) -> None:
    for user in (alice, charlie):
        theirs = Staff(user.pk, user.email, frozenset({Role.ADMIN}))
        with pytest.raises(OwnCase):
            end_rental(by=theirs, rental_id=rental.id, reason="x", now=after(120))
    with pytest.raises(NotYourRole):
        end_rental(by=hired(Role.SUPPORT), rental_id=rental.id, reason="x", now=after(120))
    with pytest.raises(ReasonUnfit):
        end_rental(by=by, rental_id=rental.id, reason=" ", now=after(120))
    with pytest.raises(RentalUnknown):
        end_rental(by=by, rental_id=alice.rentals.get().offer_id, reason="x", now=after(120))
    assert not Act.objects.exists()


def test_an_end_is_read_before(as_admin: Client, as_support: Client, rental: Rental) -> None:
    path = f"/console/rentals/{rental.id}/"
    assert 'id="end"' not in as_support.get(path).content.decode()
    assert 'id="end"' in as_admin.get(path).content.decode()
    before, done = sure(as_admin, f"{path}end", {"reason": "Mining"})
    assert "its files are lost" in before
    assert "It ends now" in done
    assert 'id="end"' not in as_admin.get(path).content.decode()
    again = as_admin.post(f"{path}end", {"reason": "x", "sure": "yes"}, follow=True)
    assert "This rental is over" in again.content.decode()


def test_a_lost_second_step_is_taken_off_with_all_that_it_let_in(by: Staff, alice: User) -> None:
    with pytest.raises(NoSecondStep):
        remove_step(by=by, user_id=alice.pk, reason="x", now=after(0))
    with_app(alice)
    key = issue(user_id=alice.pk, name="t", now=timezone.now()).key
    client = Client()
    client.force_login(alice)
    remove_step(by=by, user_id=alice.pk, reason="Shown her passport.", now=after(0))
    assert not Authenticator.objects.filter(user=alice).exists()
    key.refresh_from_db()
    assert key.revoked_at is not None
    act = Act.objects.get()
    assert (act.kind, act.person) == ("remove-second-step", alice)


def test_whose_second_step_is_not_taken_off_here(by: Staff, alice: User) -> None:
    root = with_app(User.objects.create_superuser("root@berth.example"))
    with_app(alice)
    with pytest.raises(StepOfSuperuser):
        remove_step(by=by, user_id=root.pk, reason="x", now=after(0))
    with pytest.raises(WorksHere):
        remove_step(by=by, user_id=staff("two", Role.ADMIN).pk, reason="x", now=after(0))
    with pytest.raises(OwnCase):
        remove_step(by=by, user_id=by.user_id, reason="x", now=after(0))
    with pytest.raises(NobodyThere):
        remove_step(by=by, user_id=NOBODY, reason="x", now=after(0))
    with pytest.raises(NotYourRole):
        remove_step(
            by=hired(Role.SUPPORT, Role.FINANCE), user_id=alice.pk, reason="x", now=after(0)
        )
    with pytest.raises(ReasonUnfit):
        remove_step(by=by, user_id=alice.pk, reason=" ", now=after(0))
    assert Authenticator.objects.filter(user=alice).exists()
    assert not Act.objects.exists()


def test_a_second_step_is_taken_off_on_the_page(
    as_admin: Client, as_finance: Client, alice: User
) -> None:
    with_app(alice)
    path = f"/console/people/{alice.pk}/"
    assert 'id="remove-step"' in as_admin.get(path).content.decode()
    assert 'id="remove-step"' not in as_finance.get(path).content.decode()
    before, done = sure(as_admin, f"{path}remove-step", {"reason": "Passport"})
    assert "be sure who asks" in before
    assert "with a password alone now" in done
    assert 'id="remove-step"' not in as_admin.get(path).content.decode()


def test_validators_come_and_go(by: Staff, as_admin: Client, as_support: Client) -> None:
    assert as_support.get("/console/validators/").status_code == 403
    sent = {"hotkey": HOTKEY, "name": "One", "stake": "3", "reason": "They asked"}
    before, done = sure(as_admin, "/console/validators/admit", sent)
    assert "with a stake of 3" in before
    assert HOTKEY in done
    validator = Validator.objects.get()
    assert (validator.admitted, validator.name, validator.stake) == (True, "One", 3)
    admit(by=by, hotkey=HOTKEY, name="Two", stake=None, reason="Renamed", now=after(1))
    renamed = Act.objects.order_by("-id")[0]
    assert (renamed.before["name"], renamed.after["name"], renamed.after["stake"]) == (
        "One",
        "Two",
        3,
    )
    gone = {"hotkey": HOTKEY, "reason": "It lies", "sure": "yes"}
    reply = as_admin.post("/console/validators/expel", gone, follow=True).content.decode()
    assert "Expelled" in reply
    assert not Validator.objects.get().admitted
    with pytest.raises(ExpelledAlready):
        expel(by=by, hotkey=HOTKEY, reason="x", now=after(2))
    assert [act.kind for act in Act.objects.order_by("id")] == [
        "admit-validator",
        "admit-validator",
        "expel-validator",
    ]


def test_no_validator_is_admitted_wrongly(by: Staff, as_admin: Client) -> None:
    for hotkey, name, wrong in (
        ("no hotkey", "x", HotkeyMalformed),
        (HOTKEY, " ", NameMissing),
        (HOTKEY, "x" * 101, NameMissing),
    ):
        with pytest.raises(wrong):
            admit(by=by, hotkey=hotkey, name=name, stake=None, reason="x", now=after(0))
    with pytest.raises(ReasonUnfit):
        admit(by=by, hotkey=HOTKEY, name="x", stake=None, reason=" ", now=after(0))
    with pytest.raises(NotYourRole):
        expel(by=hired(Role.SUPPORT, Role.FINANCE), hotkey=HOTKEY, reason="x", now=after(0))
    with pytest.raises(ValidatorUnknown):
        expel(by=by, hotkey=HOTKEY, reason="x", now=after(0))
    sent = {"hotkey": HOTKEY, "name": "x", "stake": "1.5", "reason": "x"}
    told = as_admin.post("/console/validators/admit", sent, follow=True).content.decode()
    assert "A stake is a whole number" in told
    for act in ("admit", "expel"):
        told = as_admin.post(f"/console/validators/{act}", {"reason": "x"}, follow=True)
        assert "Write the validator’s hotkey" in told.content.decode()
    assert not Validator.objects.exists()
    assert not Act.objects.exists()


def test_an_invoice_is_corrected_once(
    by: Staff, alice: User, invoice: Paper, as_finance: Client
) -> None:
    path = "/console/invoices/"
    person = as_finance.get(f"/console/people/{alice.pk}/").content.decode()
    assert f'<a href="{path}?number=INV-000001">INV-000001</a>' in person
    assert "Alice Ltd" in as_finance.get(f"{path}?number=inv-000001").content.decode()
    assert "There is no invoice" in as_finance.get(f"{path}?number=CRN-000001").content.decode()
    BillingDetails.objects.update(name="Alice & Sons")
    sent = {"number": "INV-000001", "reason": "Other name"}
    before, done = sure(as_finance, f"{path}correct", sent)
    assert "No money moves" in before
    assert "CRN-000001" in done
    made = Paper.objects.get(kind=PaperKind.INVOICE, serial=2)
    assert made.content["buyer"]["name"] == "Alice & Sons"
    act = Act.objects.get()
    assert (act.kind, act.person) == ("correct-invoice", alice)
    assert act.after == {"invoice": "INV-000002", "credit note": "CRN-000001"}
    with pytest.raises(AlreadyCorrected):
        correct_invoice(by=by, number="INV-000001", reason="x", now=after(1))
    for number in ("INV-000009", "x", "RCT-000001"):
        with pytest.raises(InvoiceUnknown):
            correct_invoice(by=by, number=number, reason="x", now=after(1))
    with pytest.raises(NotYourRole):
        correct_invoice(by=hired(Role.SUPPORT), number="INV-000002", reason="x", now=after(1))
    with pytest.raises(ReasonUnfit):
        correct_invoice(by=by, number="INV-000002", reason=" ", now=after(1))
    theirs = Staff(alice.pk, alice.email, frozenset({Role.ADMIN}))
    with pytest.raises(OwnCase):
        correct_invoice(by=theirs, number="INV-000002", reason="x", now=after(1))
    assert Act.objects.count() == 1


def test_nothing_is_asked_for_without_a_reason(as_admin: Client, alice: User) -> None:
    with_app(alice)
    for path, sent in (
        (f"people/{alice.pk}/remove-step", {}),
        ("validators/admit", {"hotkey": HOTKEY, "name": "x"}),
        ("validators/expel", {"hotkey": HOTKEY}),
    ):
        reply = as_admin.post(f"/console/{path}", sent, follow=True)
        assert "Write why" in reply.content.decode()
    assert not Act.objects.exists()
