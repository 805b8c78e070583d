"""A validator leads a rental's proof through a mailbox, whatever the other side does."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from protocol.rental_proof import ProofAsked, ProofLines, ProofOutcome, RentalProofReport
from protocol.validator import LookKind, Measurement
from tests.validator import builders
from tests.validator import prover as provers
from validator import rental_proofs
from validator.domain import proof, schedule
from validator.domain.conviction import NONE
from validator.domain.verdict import Look, Outcome
from validator.market import MarketRefused, MarketUnreachable
from validator.memory import Memory
from validator.proof.conversation import Randomness
from validator.rental_proofs import DOUBTED_APART_MS, RentalProofs

SEEDED = random.Random(7)
ASKED = ProofAsked(
    proof_id=UUID(int=5),
    machine_id=UUID(int=6),
    machine_key="ab" * 32,
    cpus=1,
    memory_bytes=1 << 24,
)


@pytest.fixture(autouse=True)
def _light_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HASH_ITERATIONS", "WALKS_PER_CPU", "WALK_STEPS", "HASH_TASKS_PER_CPU"):
        monkeypatch.setattr(proof, name, 20)


@dataclass
class Market:
    """A marketplace with one rental behind it, whose prover answers at once."""

    prover: provers.Prover = field(default_factory=provers.Prover)
    #: what becomes of each line of the prover's; None: it hangs up
    bend: Callable[[str], str | None] = lambda line: line
    #: what each call for lines raises
    broken: Exception | None = None
    #: that another validator was quicker
    taken: bool = False
    said: list[str] = field(default_factory=list)
    ended: bool = False
    reports: list[RentalProofReport] = field(default_factory=list)

    async def rental_proofs(self) -> tuple[ProofAsked, ...]:
        return (ASKED,)

    async def claim_proof(self, proof_id: UUID) -> None:
        if self.taken:
            raise MarketRefused(409, "proof_taken", "Another validator leads this proof.")

    async def say_in_proof(self, proof_id: UUID, lines: ProofLines) -> None:
        for line in lines.lines:
            demand = json.loads(line)
            if demand["op"] == "bye":
                continue
            answer = {"op": "ping"} if demand["op"] == "ping" else self.prover.answer(demand)
            bent = self.bend(json.dumps(answer))
            self.ended = self.ended or bent is None
            self.said += [] if bent is None else [bent]

    async def hear_in_proof(self, proof_id: UUID, *, after: int) -> ProofLines:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        lines = tuple(self.said[after:])
        return ProofLines(first=after, lines=lines, ended=self.ended and not lines)

    async def post_rental_proof(self, report: RentalProofReport) -> None:
        self.reports.append(report)


def proofs_of(
    market: Market, now_ms: Callable[[], int] = lambda: 77, doubted: list[UUID] | None = None
) -> RentalProofs:
    return RentalProofs(
        market,
        hotkey="5Judge",
        now_ms=now_ms,
        randomness=Randomness(draw=SEEDED.randbytes, below=SEEDED.randrange),
        memory_bytes_max=1 << 21,
        doubted=[].append if doubted is None else doubted.append,
    )


async def led(market: Market, proofs: RentalProofs | None = None) -> Market:
    proofs = proofs or proofs_of(market)
    await proofs.step()
    await asyncio.wait(proofs.led)
    return market


async def test_an_honest_rental_passes_with_figures() -> None:
    (report,) = (await led(Market())).reports
    assert (report.outcome, report.detail) == (ProofOutcome.PASSED, "")
    assert (report.proof_id, report.machine_key) == (ASKED.proof_id, ASKED.machine_key)
    assert (report.validator_hotkey, report.checked_at_ms) == ("5Judge", 77)
    assert report.measurement is not None
    assert report.measurement.memory_bytes_proven == 2 << 20


@pytest.mark.parametrize(
    ("market", "outcome"),
    [
        (Market(prover=provers.HalfTheTasks()), ProofOutcome.FAILED),
        (Market(prover=provers.FewerPages()), ProofOutcome.FAILED),
        (Market(prover=provers.GivesUp()), ProofOutcome.UNFINISHED),
        (Market(bend=lambda line: "no JSON"), ProofOutcome.FAILED),
        (Market(bend=lambda line: None), ProofOutcome.UNFINISHED),
        (Market(broken=MarketUnreachable("Away.")), ProofOutcome.UNFINISHED),
    ],
    ids=["half", "fewer_pages", "gives_up", "garbage", "hangs_up", "market_away"],
)
async def test_every_other_one_is_reported_as_what_it_is(
    market: Market, outcome: ProofOutcome
) -> None:
    (report,) = (await led(market)).reports
    assert (report.outcome, report.measurement) == (outcome, None)
    assert report.detail


async def test_a_rental_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rental_proofs, "PROOF_S_MAX", 0.05)
    (report,) = (await led(Market(bend=lambda line: ""))).reports
    assert report.outcome in (ProofOutcome.UNFINISHED, ProofOutcome.FAILED)


async def test_what_another_validator_leads_is_left_to_it() -> None:
    assert not (await led(Market(taken=True))).reports


async def test_a_machine_whose_rental_failed_is_doubted_once_a_day() -> None:
    doubted: list[UUID] = []
    clock = iter((1, 2, 2 + DOUBTED_APART_MS))
    market = Market(bend=lambda line: "no JSON")
    proofs = proofs_of(market, lambda: next(clock), doubted)
    for count in (1, 1, 2):
        market.said.clear()
        await led(market, proofs)
        assert doubted == [ASKED.machine_id] * count
    for other in (Market(), Market(prover=provers.GivesUp())):
        await led(other, proofs_of(other, doubted=doubted))
    assert len(doubted) == 2


def test_a_doubted_machine_is_due_for_a_proof() -> None:
    memory, now_ms = Memory(), 5_000
    memory.doubt(ASKED.machine_id, now_ms=lambda: now_ms)
    assert not memory.machines
    target = builders.target(machine_id=ASKED.machine_id)
    known = schedule.after(
        None,
        target=target,
        kind=LookKind.ONBOARDING,
        look=Look(Outcome.SEEN, measurement=Measurement(cpus=1)),
        good=True,
        failures=NONE,
        now_ms=now_ms,
        below=lambda bound: bound - 1,
    )
    assert known.proof_due_ms >= now_ms
    memory.machines[ASKED.machine_id] = replace(known, proof_due_ms=now_ms + 1_000_000)
    memory.doubt(ASKED.machine_id, now_ms=lambda: now_ms)
    assert schedule.due(memory.machines[ASKED.machine_id], target, now_ms) is LookKind.PERIODIC
