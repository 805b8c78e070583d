"""The whole way of a renter: from the sign-up to the invoice, and a proof that gives money back."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.invoice import month_after, month_of
from marketplace.metering.models import Meter
from marketplace.papers.actions.issue_invoices import SETTLED_AFTER, issue_invoices
from marketplace.rentals.actions import ask_proof, end_proof
from marketplace.rentals.actions.count_proof import count_proofs
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.rental_proof import ProofOutcome, RentalProofReport, SignedRentalProofReport
from protocol.validator import Measurement
from tests.browser.audit import problems
from tests.browser.conftest import IN_CLIPBOARD, Enter
from tests.browser.test_every_page import found_by_axe
from tests.browser.test_journey import add_key_and_money, market, sign_up, the_rental
from tests.browser.test_money import downloaded
from tests.browser.test_terminal import alice, answering
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market
from tests.marketplace.rentals.proving import LISTED, deliver, measure, read

__all__ = ["alice", "market"]


def test_a_new_person_comes_from_the_sign_up_to_their_invoice(page: Page, market: Market) -> None:
    sign_up(page)
    add_key_and_money(page)
    page.goto("/")
    page.get_by_role("link", name="Rent 4-CPU machine").click()
    page.get_by_role("button", name="Rent", exact=True).click()
    state = page.locator("#state")
    expect(state).to_have_text("Waiting for the machine")
    rental = the_rental()
    market.run(rental, at=timezone.now(), door_after_s=0)
    expect(state).to_have_text("Active")

    with answering(rental) as house:
        page.get_by_role("link", name="Open a terminal here").click()
        expect(page.locator("#terminal-status")).to_have_text("Connected.")
        page.keyboard.type("echo hello")
        page.keyboard.press("Enter")
        expect(page.locator(".xterm-rows")).to_contain_text("<echo hello>")
        assert house.users
        page.goto(f"/rentals/{rental.id}/")

    page.locator("#stop > summary").click()
    page.get_by_role("button", name="Stop it now").click()
    expect(state).to_have_text("Stopping")
    now = timezone.now()
    Meter.objects.filter(id=rental.meter_id).update(proven_ms=400_000, proven_until=now)
    market.halt(rental, at=now)
    expect(state).to_have_text("Stopped")
    page.locator("#end > summary").click()
    page.get_by_role("button", name="End it now").click()
    expect(state).to_have_text("Ending")
    market.end(rental, at=timezone.now())
    expect(state).to_have_text("Ended")

    page.goto(f"/rentals/{rental.id}/bill")
    bill = page.locator("#bill-total").inner_text()
    assert bill == "$0.40"
    page.goto("/money/")
    page.get_by_role("link", name="Invoices").click()
    expect(page.get_by_role("link", name="INV-")).to_have_count(0)
    # The month is over, and the schedule's pass comes by.
    assert issue_invoices(now=month_after(month_of(now)) + SETTLED_AFTER) == 1
    page.reload()
    page.get_by_role("link", name="Invoice INV-000001").click()
    expect(page.locator("#lines")).to_contain_text(str(rental.id)[:8])
    expect(page.locator("#total")).to_have_text(bill)
    assert problems(page) + found_by_axe(page) == []
    assert downloaded(page, "Download PDF").read_bytes().startswith(b"%PDF-")


def test_a_proof_of_less_than_was_listed_is_shown_with_what_comes_back(
    page: Page, enter: Enter, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the machine does is dated so that all of it has happened already.
    # A whole second: what comes back is rounded down by the parts of a millisecond.
    began = timezone.now().replace(microsecond=0) - timedelta(seconds=110)
    monkeypatch.setattr(scene, "NOW", began)
    market = Market.open(User.objects.create_user("charlie@example.com"))
    rental = market.rent(alice, now=scene.NOW)
    market.run(rental, at=scene.NOW)
    enter(page, alice)
    page.goto(f"/rentals/{rental.id}/")
    page.locator("#prove-command + button").click()
    page.wait_for_function(IN_CLIPBOARD, arg=f"berth prove {rental.id}")

    # What the command does: it asks, a validator leads it, and its signed word ends it.
    proof = ask_proof.ask(rental_id=rental.id, renter_id=alice.pk, now=scene.after(50))
    page.reload()
    expect(page.locator("#proof .badge")).to_be_visible()
    asked = page.locator("#proof .badge").inner_text()
    judge, at = scene.Judge().keypair, scene.after(101)
    ask_proof.take(proof_id=proof.id, hotkey=judge.ss58_address, now=scene.after(51))
    deliver(market, rental, second=101)
    read(rental, until=101)
    measure(rental, second=101, rate=LISTED * 7 // 10)
    report = RentalProofReport(
        validator_hotkey=judge.ss58_address,
        proof_id=proof.id,
        machine_id=market.machine.id,
        machine_key=market.machine.machine_key,
        outcome=ProofOutcome.PASSED,
        measurement=Measurement(cpus=1, cpu_hash_rate=LISTED * 7 // 10),
        checked_at_ms=int(at.timestamp() * 1000),
    )
    signature = hotkeys.sign(judge, canonical_bytes(report))
    signed = SignedRentalProofReport(report=report, signature=signature)
    end_proof.record(signed=signed, hotkey=judge.ss58_address, now=at)
    assert count_proofs(now=at) == 1
    page.reload()
    expect(page.locator("#proof .badge")).not_to_have_text(asked)
    expect(page.locator("#proof-became")).to_contain_text("$0.03 came back")
    expect(page.locator("#proof-figures")).to_be_visible()
    assert problems(page) + found_by_axe(page) == []
    page.goto(f"/rentals/{rental.id}/bill")
    # 100 seconds at a tenth of a cent, of which seven tenths are paid.
    expect(page.locator("#bill-total")).to_have_text("$0.07")
