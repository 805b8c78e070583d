"""A renter has a rental proven from inside: who may talk, how much, and what is kept of it."""

import asyncio
import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pytest_django.live_server_helper import LiveServer

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.domain.rental_proof import AN_HOUR, LASTS, TAKEN_WITHIN, ProofState
from marketplace.rentals import proof_queries
from marketplace.rentals.actions import ask_proof, end_proof, say_in_proof
from marketplace.rentals.models import ProofLine, Rental, RentalProof
from marketplace.verification.actions.admit_validator import admit
from marketplace.verification.models import Validator
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.rental_proof import (
    LINES_MOST,
    ProofAsked,
    ProofOutcome,
    RentalProofReport,
    SignedRentalProofReport,
)
from protocol.validator import Measurement
from tests.berth.terminal import Terminal
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after
from validator.clock import randomness
from validator.domain import proof as proof_plan
from validator.market import Market as ValidatorsMarket
from validator.rental_proofs import RentalProofs


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def rental(market: Market, alice: User, give: Callable[..., None]) -> Rental:
    """A rental of Alice's whose door was seen at 2 s."""
    give(alice, 10_000_000)
    give_key(alice)
    made = market.rent(alice)
    market.run(made, at=after(1))
    return made


@pytest.fixture
def asked(rental: Rental) -> RentalProof:
    return ask_proof.ask(rental_id=rental.id, renter_id=rental.renter_id, now=after(3))


@pytest.fixture
def judge(market: Market) -> scene.Judge:
    return scene.Judge().admitted()


def waiting(judge: scene.Judge, *, at: datetime | None = None) -> list[ProofAsked]:
    return proof_queries.waiting(at or after(4), judge.keypair.ss58_address)


def take(proof: RentalProof, judge: scene.Judge, *, at: float = 4) -> None:
    ask_proof.take(proof_id=proof.id, hotkey=judge.keypair.ss58_address, now=after(at))


def test_a_validator_of_little_stake_leads_no_proof(asked: RentalProof, judge: scene.Judge) -> None:
    admit(hotkey=judge.keypair.ss58_address, name="Judge", now=NOW, stake=100)
    Validator.objects.update(spoke_at=NOW)
    keypair = scene.bittensor_core.Keypair.create_from_uri("//Minnow")
    admit(hotkey=keypair.ss58_address, name="Minnow", now=NOW, stake=1)
    minnow = scene.Judge(keypair=keypair)
    assert waiting(minnow) == []
    assert code_of(lambda: take(asked, minnow)) == "stake_too_small"
    assert len(waiting(judge)) == 1


def report(proof: RentalProof, judge: scene.Judge, **changed: object) -> SignedRentalProofReport:
    machine = proof.rental.placement.machine
    told = RentalProofReport.model_validate(
        {
            "validator_hotkey": judge.keypair.ss58_address,
            "proof_id": proof.id,
            "machine_id": machine.id,
            "machine_key": machine.machine_key,
            "outcome": ProofOutcome.PASSED,
            "measurement": Measurement(cpus=1, cpu_hash_rate=5),
            "checked_at_ms": 1,
            **changed,
        }
    )
    signature = hotkeys.sign(judge.keypair, canonical_bytes(told))
    return SignedRentalProofReport(report=told, signature=signature)


def say(proof: RentalProof, *lines: str, first: int = 0, by_validator: bool = False) -> None:
    say_in_proof.say(proof=proof, by_validator=by_validator, first=first, lines=lines, now=after(5))


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.code


def test_only_who_rents_it_asks_and_only_while_it_is_active(
    market: Market, alice: User, bob: User, give: Callable[..., None]
) -> None:
    give(alice, 10_000_000)
    give_key(alice)
    made = market.rent(alice)

    def ask(renter: User) -> object:
        return ask_proof.ask(rental_id=made.id, renter_id=renter.pk, now=after(3))

    assert code_of(lambda: ask(alice)) == "not_active"
    market.run(made, at=after(1))
    assert code_of(lambda: ask(bob)) == "not_found"
    assert ask(alice)


def test_a_rental_has_one_proof_at_a_time_and_so_many_an_hour(rental: Rental) -> None:
    who = {"rental_id": rental.id, "renter_id": rental.renter_id}
    ask_proof.ask(**who, now=after(3))
    assert code_of(lambda: ask_proof.ask(**who, now=after(4))) == "proof_running"
    later = [after(3) + number * TAKEN_WITHIN for number in range(1, AN_HOUR)]
    for now in later:
        ask_proof.ask(**who, now=now)
    refused_at = later[-1] + TAKEN_WITHIN
    assert code_of(lambda: ask_proof.ask(**who, now=refused_at)) == "proofs_too_many"
    assert ask_proof.ask(**who, now=refused_at + timedelta(hours=1))


def test_validators_hear_what_the_rental_is_until_one_takes_it(
    asked: RentalProof, judge: scene.Judge
) -> None:
    (told,) = waiting(judge)
    machine = asked.rental.placement.machine
    assert (told.proof_id, told.machine_key) == (asked.id, machine.machine_key)
    assert (told.cpus, told.memory_bytes, told.gpus) == (1, scene.GIB, {})
    take(asked, judge)
    take(asked, judge)
    assert waiting(judge) == []
    assert not waiting(judge, at=after(3) + TAKEN_WITHIN)
    other = scene.Judge(keypair=scene.bittensor_core.Keypair.create_from_uri("//Other")).admitted()
    assert code_of(lambda: take(asked, other)) == "proof_taken"
    for stranger in (other.keypair.ss58_address, "nobody"):
        found = lambda who=stranger: proof_queries.of_validator(asked.id, who)  # noqa: E731
        assert code_of(found) == "not_found"


def test_lines_are_kept_once_in_order_and_each_side_hears_the_other(
    asked: RentalProof, judge: scene.Judge, bob: User
) -> None:
    hers = (asked.id, asked.rental_id)
    assert code_of(lambda: proof_queries.of_renter(*hers, bob.pk)) == "not_found"
    assert code_of(lambda: say(asked, "{}", by_validator=True)) == "proof_over"
    take(asked, judge)
    say(asked, "a", "b")
    say(asked, "b", "c", first=1)
    say(asked, "demand", by_validator=True)
    heard = proof_queries.heard(asked, by_validator=False, after=1)
    assert (heard.first, heard.lines, heard.ended) == (1, ("b", "c"), False)
    assert proof_queries.heard(asked, by_validator=True, after=0).lines == ("demand",)


def test_a_mailbox_ends(asked: RentalProof, judge: scene.Judge) -> None:
    take(asked, judge)
    assert code_of(lambda: say(asked, "skipped", first=1)) == "mailbox_full"
    RentalProof.objects.filter(id=asked.id).update(sent_by_renter=(8 << 20) - 1)
    assert code_of(lambda: say(asked, "ab")) == "mailbox_full"
    say(asked, "a")
    say(asked, *["x"] * LINES_MOST, by_validator=True)
    assert code_of(lambda: say(asked, "y", first=LINES_MOST, by_validator=True)) == "mailbox_full"


def test_a_signed_report_ends_it_and_the_mailbox_goes(
    asked: RentalProof, judge: scene.Judge
) -> None:
    take(asked, judge)
    say(asked, "a")
    hotkey = judge.keypair.ss58_address
    end_proof.record(signed=report(asked, judge), hotkey=hotkey, now=after(9))
    (seen,) = proof_queries.proofs(asked.rental_id, asked.rental.renter_id)
    assert (seen.state, seen.validator, seen.ended_at) == (ProofState.PASSED, hotkey, after(9))
    assert seen.measurement == Measurement(cpus=1, cpu_hash_rate=5)
    assert not ProofLine.objects.exists()
    assert proof_queries.heard(asked, by_validator=True, after=0).ended
    assert code_of(lambda: say(asked, "b", first=1)) == "mailbox_full"
    assert code_of(lambda: say(asked, "b")) == "proof_over"
    again = lambda: end_proof.record(  # noqa: E731
        signed=report(asked, judge), hotkey=hotkey, now=after(9)
    )
    assert code_of(again) == "proof_over"


def test_nobody_else_ends_it(asked: RentalProof, judge: scene.Judge) -> None:
    other = scene.Judge(keypair=scene.bittensor_core.Keypair.create_from_uri("//Other")).admitted()
    take(asked, judge)
    wrong = {
        "signature_invalid": (
            (report(asked, judge), other),
            (report(asked, judge).model_copy(update={"signature": "00" * 64}), judge),
        ),
        "proof_over": (
            (report(asked, other), other),
            (report(asked, judge, machine_id=uuid4()), judge),
            (report(asked, judge, machine_key="cd" * 32), judge),
            (report(asked, judge, proof_id=UUID(int=1)), judge),
        ),
    }
    for code, attempts in wrong.items():
        for signed, sender in attempts:
            hotkey = sender.keypair.ss58_address
            record = lambda told=signed, who=hotkey: end_proof.record(  # noqa: E731
                signed=told, hotkey=who, now=after(9)
            )
            assert code_of(record) == code


def test_what_nobody_brings_to_an_end_ends_by_itself(
    asked: RentalProof, judge: scene.Judge
) -> None:
    take(asked, judge, at=5)
    say(asked, "a")
    assert end_proof.end_late(now=after(5) + LASTS - timedelta(seconds=1)) == 0
    assert end_proof.end_late(now=after(5) + LASTS) == 1
    (seen,) = proof_queries.proofs(asked.rental_id, asked.rental.renter_id)
    assert (seen.state, seen.detail) == (ProofState.UNFINISHED, end_proof.LATE)
    assert not ProofLine.objects.exists()


class Led:
    """A validator that leads one proof over HTTP, in a thread of its own."""

    def __init__(self, url: str, judge: scene.Judge) -> None:
        nonces = itertools.count(int(NOW.timestamp()) * 10**9, 1000)

        async def lead() -> None:
            async with ValidatorsMarket(
                url=url, keypair=judge.keypair, now_ns=lambda: next(nonces)
            ) as market:
                proofs = RentalProofs(
                    market,
                    hotkey=judge.keypair.ss58_address,
                    now_ms=lambda: int(NOW.timestamp() * 1000),
                    randomness=randomness(),
                    memory_bytes_max=1 << 21,
                )
                while not proofs.led:
                    await proofs.step()
                    await asyncio.sleep(0.05)
                await asyncio.wait(proofs.led)

        self.thread = threading.Thread(target=lambda: asyncio.run(lead()), daemon=True)
        self.thread.start()


@pytest.fixture
def terminal(
    rental: Rental,
    live_server: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Terminal:
    """Alice's terminal, whose ssh leads into this very computer."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    for name, little in {
        "HASH_ITERATIONS": 50,
        "WALKS_PER_CPU": 33,
        "WALK_STEPS": 16,
        "HASH_TASKS_PER_CPU": 37,
    }.items():
        monkeypatch.setattr(proof_plan, name, little)
    made = Terminal(tmp_path, live_server.url)
    made.environment["BERTH_API_KEY"] = issue(
        user_id=rental.renter_id, name="terminal", now=NOW
    ).secret
    # Told to leave it ends with 255, as OpenSSH does.
    made.program(
        "ssh",
        "#!/bin/sh\nfor line; do :; done\nexec 3<&0\n"
        'sh -c "$line" <&3 3<&- &\ntrap "kill $!; exit 255" TERM\nwait $!\n',
    )
    return made


@pytest.mark.django_db(transaction=True)
def test_a_proof_from_the_terminal_is_led_by_a_validator(
    rental: Rental, terminal: Terminal, judge: scene.Judge
) -> None:
    led = Led(terminal.environment["BERTH_URL"], judge)
    ran = terminal.berth("prove", str(rental.id)[:8], "--json")
    led.thread.join(60)
    assert ran.code == 0, ran.err
    assert (ran.json["state"], ran.json["validator"]) == ("passed", judge.keypair.ss58_address)
    assert ran.json["measurement"]["cpus"] == 1
    assert ran.json["measurement"]["memory_bytes_proven"] == 2 << 20
    kept = RentalProof.objects.get()
    signed = SignedRentalProofReport.model_validate(kept.signed)
    assert signed.report.measurement is not None
    assert hotkeys.verify(
        judge.keypair.ss58_address, canonical_bytes(signed.report), signed.signature
    )


@pytest.mark.django_db(transaction=True)
def test_a_log_in_that_fails_gives_the_proof_up(rental: Rental, terminal: Terminal) -> None:
    terminal.program("ssh", "#!/bin/sh\nexit 255\n")
    for _ in range(2):
        ran = terminal.berth("prove", str(rental.id)[:8])
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.endswith("name the key with -i. [ssh_failed]\n")
    assert {one.state for one in RentalProof.objects.all()} == {ProofState.UNFINISHED}


@pytest.mark.django_db(transaction=True)
def test_a_prover_that_lies_fails_and_one_that_is_missing_is_named(
    rental: Rental, terminal: Terminal, judge: scene.Judge
) -> None:
    terminal.program("python3", "#!/bin/sh\nexit 127\n")
    ran = terminal.berth("prove", str(rental.id)[:8], "--json")
    assert (ran.code, ran.problem["code"]) == (1, "python_missing")
    assert RentalProof.objects.get().state == ProofState.UNFINISHED
    lies = 'read -r program; while read -r demand; do echo "{\\"op\\":\\"ping\\"}"; done'
    terminal.program("python3", f"#!/bin/sh\n{lies}\n")
    led = Led(terminal.environment["BERTH_URL"], judge)
    ran = terminal.berth("prove", str(rental.id)[:8], "--json")
    led.thread.join(60)
    assert (ran.code, ran.json["state"]) == (1, "failed")
