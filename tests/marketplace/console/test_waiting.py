"""Staff see what waits for them and decide it; both sides are told, and the log keeps it."""

from collections.abc import Callable

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.console.actions.answer_appeal import answer_appeal
from marketplace.console.actions.rule import NothingToSettle, Overtaken, rule
from marketplace.console.models import Ruling
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.delivered import Effect
from marketplace.domain.oversight import Role
from marketplace.ledger import queries as ledger
from marketplace.ledger.audit import audit
from marketplace.metering.actions.audit_money import audit_money
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from marketplace.own_data.actions.delete_account import delete
from marketplace.payments.models import Dispute, TopUp
from marketplace.rentals.actions.count_proof import count_proofs
from marketplace.rentals.models import Rental, RentalProof
from marketplace.verification.models import Appeal
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.over import leave_nothing
from tests.marketplace.rentals.proving import LISTED, deliver, measure, passed, read
from tests.marketplace.scene import after
from tests.marketplace.staffed import staff


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """It costs $0.001 a second."""
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(0))
    return rental


@pytest.fixture
def disputed(market: Market, rental: Rental) -> RentalProof:
    """It shows 70 % after 100 s, and a validator what was listed; $0.001 came back already."""
    proof = prove(market, rental, second=101, share=0.7)
    measure(rental, second=151, rate=LISTED * 9 // 10)
    count_proofs(now=after(151))
    proof.refresh_from_db()
    assert (proof.effect, proof.returned_microusd) == (Effect.DISPUTED, 1_000)
    return proof


def prove(market: Market, rental: Rental, *, second: int, share: float) -> RentalProof:
    deliver(market, rental, second=second)
    read(rental, until=second)
    proof = passed(rental, second=second, rate=int(LISTED * share))
    count_proofs(now=after(second))
    proof.refresh_from_db()
    return proof


def settle(by: Staff, proof: RentalProof, *, for_renter: bool, second: int = 200) -> int:
    return rule(
        by=by, proof_id=proof.id, for_renter=for_renter, reason="Photos show it.", now=after(second)
    )


def test_for_the_renter_the_whole_difference_comes_back_once(
    by: Staff, alice: User, charlie: User, rental: Rental, disputed: RentalProof
) -> None:
    before = ledger.balance(alice.pk)
    assert settle(by, disputed, for_renter=True) == 29_000
    assert ledger.balance(alice.pk) == before + 29_000
    disputed.refresh_from_db()
    assert (disputed.effect, disputed.returned_microusd) == (Effect.LESS, 30_000)
    rental.refresh_from_db()
    assert rental.delivered_ppm == 700_000
    act = Act.objects.get()
    assert (act.kind, act.person, act.after) == (
        "settle",
        alice,
        {"for": "renter", "given back": "$0.029"},
    )
    told = Notice.objects.filter(cause=f"proof:{disputed.id}:ruling")
    assert {notice.user for notice in told} == {alice, charlie}
    assert all("Photos show it." in notice.text for notice in told)
    for for_renter in (True, False):
        with pytest.raises(NothingToSettle):
            settle(by, disputed, for_renter=for_renter)
    assert audit_money(now=after(300)).problems == []


def test_nothing_comes_back_to_an_account_that_was_deleted(
    by: Staff, rental: Rental, disputed: RentalProof, charlie: User
) -> None:
    leave_nothing(rental, now=after(160))
    delete(user_id=rental.renter_id, now=after(170))
    before = ledger.earned(charlie.pk)
    assert settle(by, disputed, for_renter=True) == 0
    assert (ledger.balance(rental.renter_id), ledger.earned(charlie.pk)) == (0, before)
    disputed.refresh_from_db()
    assert (disputed.effect, Ruling.objects.count()) == (Effect.LESS, 1)
    assert audit() == []


def test_for_the_host_it_stays_as_it_is_and_waits_no_more(
    as_support: Client, alice: User, disputed: RentalProof
) -> None:
    before = ledger.balance(alice.pk)
    assert f'id="proof-{disputed.id}"' in as_support.get("/console/").content.decode()
    as_support.post(f"/console/proofs/{disputed.id}", {"for": "host", "reason": "Their load."})
    assert ledger.balance(alice.pk) == before
    disputed.refresh_from_db()
    assert disputed.effect == Effect.DISPUTED
    assert not Ruling.objects.get().for_renter
    assert f'id="proof-{disputed.id}"' not in as_support.get("/console/").content.decode()
    assert Act.objects.get().by_name == "support@berth.example"


def test_a_newer_proof_that_counted_is_not_overruled(
    by: Staff, market: Market, rental: Rental, disputed: RentalProof
) -> None:
    assert prove(market, rental, second=201, share=1).effect == Effect.ENOUGH
    with pytest.raises(Overtaken):
        settle(by, disputed, for_renter=True, second=210)
    disputed.refresh_from_db()
    assert disputed.effect == Effect.DISPUTED
    assert not Act.objects.exists()
    assert settle(by, disputed, for_renter=False, second=210) == 0


def test_what_is_not_disputed_is_not_settled(
    by: Staff, market: Market, rental: Rental, as_finance: Client
) -> None:
    proof = prove(market, rental, second=101, share=0.7)
    assert proof.effect == Effect.UNCONFIRMED
    with pytest.raises(NothingToSettle):
        settle(by, proof, for_renter=True)
    with pytest.raises(NothingToSettle):
        rule(by=by, proof_id=rental.id, for_renter=True, reason="x", now=after(200))
    reply = as_finance.post(f"/console/proofs/{proof.id}", {"for": "renter", "reason": "x"})
    assert reply.status_code == 403


def test_a_ruling_asks_for_a_role_and_a_reason(by: Staff, disputed: RentalProof) -> None:
    finance = as_staff(staff("one", Role.FINANCE))
    assert finance is not None
    with pytest.raises(NotYourRole):
        settle(finance, disputed, for_renter=True)
    with pytest.raises(ReasonUnfit):
        rule(by=by, proof_id=disputed.id, for_renter=True, reason=" ", now=after(200))
    disputed.refresh_from_db()
    assert disputed.effect == Effect.DISPUTED
    assert not Ruling.objects.exists()


@pytest.mark.parametrize(("answer", "granted"), [("grant", True), ("refuse", False)])
def test_an_appeal_is_answered(
    as_support: Client,
    as_finance: Client,
    market: Market,
    rental: Rental,
    answer: str,
    granted: bool,
) -> None:
    machine_id = rental.placement.machine_id
    made = Appeal.objects.create(machine_id=machine_id, text="<b>mended</b>", made_at=after(1))
    page = as_support.get("/console/").content.decode()
    assert "&lt;b&gt;mended" in page
    path = f"/console/appeals/{machine_id}"
    assert as_finance.post(path, {"answer": answer, "reason": "x"}).status_code == 403
    as_support.post(path, {"answer": answer, "reason": ""})
    made.refresh_from_db()
    assert made.answered_at is None
    as_support.post(path, {"answer": answer, "reason": "We looked."})
    made.refresh_from_db()
    assert (made.granted, made.answer) == (granted, "We looked.")
    act = Act.objects.get()
    assert (act.kind, act.after) == ("answer-appeal", {"granted": granted})
    assert as_support.post(path, {"answer": answer, "reason": "again"}).status_code == 404


def test_finance_answers_no_appeal_by_the_action_either(rental: Rental) -> None:
    finance = as_staff(staff("one", Role.FINANCE))
    assert finance is not None
    with pytest.raises(NotYourRole):
        answer_appeal(
            by=finance,
            machine_id=rental.placement.machine_id,
            granted=True,
            reason="x",
            now=after(1),
        )


def test_a_disputed_payment_is_listed_with_its_evidence(as_support: Client, alice: User) -> None:
    paid = TopUp.objects.create(
        user=alice,
        amount_microusd=5_000_000,
        state="paid",
        gateway="stripe",
        reference="pi_1",
        cause="t",
        created_at=after(0),
        ask_at=after(0),
    )
    Dispute.objects.create(
        id="dp_1",
        top_up=paid,
        amount_microusd=5_000_000,
        reason="fraudulent",
        opened_at=after(1),
        ask_at=after(1),
        evidence_due_at=after(1000),
    )
    page = as_support.get("/console/").content.decode()
    assert f'href="/console/payments/{paid.pk}/"' in page
    text = as_support.get("/console/disputes/dp_1/evidence.txt")
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert alice.email in text.content.decode()
    act = Act.objects.get()
    assert (act.kind, act.subject, act.person) == ("read-evidence", "dispute dp_1", alice)
    assert as_support.get("/console/disputes/dp_2/evidence.txt").status_code == 404
    assert Act.objects.count() == 1


def test_what_is_due_and_not_done_is_counted(as_support: Client, alice: User) -> None:
    Notice.objects.create(
        user=alice, kind="payment", cause="1", title="t", at=after(0), mail_due_at=after(0)
    )
    page = as_support.get("/console/")
    rows = {one["name"]: (one["rows"], bool(one["since"])) for one in page.context["backlogs"]}
    assert rows["Letters"] == ("1", True)
    assert rows["Payouts"] == ("0", False)
