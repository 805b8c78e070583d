"""The whole path with real programs: rent, log in, pay, earn; and an agent that dies."""

from typing import Any

import pytest

from protocol.receipts import SignedInterval, check_chain
from scripts.demo.door import MEMORY_FILES
from tests.journeys.conftest import Renter
from tests.journeys.stack import Stack, until

pytestmark = pytest.mark.xdist_group("journeys")


def nothing_left(stack: Stack) -> None:
    """Nothing is held, nothing runs, everything is free again, and the ledger is right."""
    stack.everything_is_given_back()
    stack.manage("ledger_audit")


def earned(stack: Stack) -> int:
    """Return what the machine has earned its host so far, by whomever it was rented."""
    host = stack.log_in("host@example.com")
    (machine,) = stack.call("GET", "/host/machines", host)["items"]
    return int(machine["earned_microusd"])


def test_alice_rents_logs_in_pays_and_the_host_earns(stack: Stack, renter: Renter) -> None:
    earned_before = earned(stack)
    rental = renter.wait(renter.rent(), "active")
    assert renter.ssh(rental, "nproc").strip() == "1"
    memory = renter.ssh(rental, f"cat {MEMORY_FILES} 2>/dev/null | head -n 1")
    assert int(memory) == 256 << 20
    # The disk is full at its limit, for its owner alone.
    written = renter.ssh(
        rental, "dd if=/dev/zero of=/big bs=1M count=2000 2>/dev/null; du -m /big | cut -f1"
    )
    assert 350 < int(written) <= 512
    until(lambda: renter.see(rental["id"])["billed_ms"] > 0, "seconds are charged")
    ended = renter.end(rental["id"])
    assert ended["state"] == "ended"

    def settled() -> Any:
        return stack.call("GET", "/me", renter.key)["held_microusd"] == 0

    until(settled, "the hold is released")
    receipts = stack.call("GET", f"/rentals/{rental['id']}/receipts", renter.key)
    chain = [SignedInterval.model_validate(one) for one in receipts["intervals"]]
    assert receipts["billed_ms"] <= check_chain(chain)
    assert receipts["cost_microusd"] > 0
    assert 0 < earned(stack) - earned_before < receipts["cost_microusd"]
    assert stack.books.billed()
    nothing_left(stack)


def test_killing_the_agent_leaves_a_running_rental_alone(stack: Stack, renter: Renter) -> None:
    rental = renter.wait(renter.rent(), "active")
    renter.ssh(rental, "echo mine > /root/note")
    stack.kill("agent")
    assert renter.ssh(rental, "cat /root/note").strip() == "mine"
    stack.start("agent")
    until(lambda: renter.see(rental["id"])["billed_ms"] > 0, "seconds are charged again")
    assert renter.ssh(rental, "cat /root/note").strip() == "mine"
    renter.end(rental["id"])
    nothing_left(stack)


def test_a_rental_offered_to_a_dead_agent_waits_for_it(stack: Stack, renter: Renter) -> None:
    stack.kill("agent")
    rental_id = renter.rent()
    assert renter.see(rental_id)["state"] == "queued"
    stack.start("agent")
    renter.wait(rental_id, "active")
    renter.end(rental_id)
    nothing_left(stack)


def test_an_image_that_nobody_has_is_refused_in_one_sentence(stack: Stack, renter: Renter) -> None:
    rental = renter.wait(renter.rent(image="nobody/nothing:1"), "failed")
    assert "nobody/nothing:1" in rental["reason"]
    assert rental["cost_microusd"] == 0
    nothing_left(stack)
