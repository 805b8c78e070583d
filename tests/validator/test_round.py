"""A pass on virtual time: due machines, failures kept apart, silence, scores."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from protocol.validator import EpochRecord, ScoreReport, Target, Verdict, VerdictState
from tests.validator import builders
from tests.validator.builders import ALICE, NOW_MS, cpu_record, hardware, target
from tests.validator.test_verdict import GOOD
from validator import closed_epochs
from validator.domain.schedule import (
    BAD_AGAIN_MS_MAX,
    BAD_AGAIN_MS_MIN,
    LIGHT_AGAIN_MS,
    SILENT_GRACE_MS,
)
from validator.domain.verdict import Look, Outcome
from validator.looking import DUE_AGAIN_MS, FAILED_AGAIN_MS
from validator.market import MarketRefused, MarketUnreachable
from validator.memory import Memory, Ports
from validator.round import SCORES_AGAIN_MS, Report, run_pass, step

SEEN = Look(Outcome.SEEN, hardware=hardware(), measurement=GOOD)
SILENT = Look(Outcome.SILENT, "Nothing answers at port 2222.")
SILENCES = pytest.mark.parametrize("outcome", [Outcome.SILENT, Outcome.PROVER_BUSY])


@dataclass
class World:
    """The marketplace, the machines and the clock of one test."""

    listed: tuple[Target, ...] = (target(),)
    looks: Callable[[Target], Look] = lambda _: SEEN
    now_ms: int = NOW_MS
    refuse_verdicts_of: frozenset[UUID] = frozenset()
    has_epoch: bool = True
    closed_epoch: EpochRecord | None = None
    memory: Memory = field(default_factory=Memory)
    verdicts: list[Verdict] = field(default_factory=list)
    reports: list[ScoreReport] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)

    async def targets(self) -> tuple[Target, ...]:
        return self.listed

    async def target(self, machine_id: UUID) -> Target | None:
        return next((each for each in self.listed if each.machine_id == machine_id), None)

    async def look(self, target: Target, **how: object) -> Look:
        self.looked.append(target.machine_id.int)
        return self.looks(target)

    async def post_verdict(self, verdict: Verdict) -> None:
        if verdict.machine_id in self.refuse_verdicts_of:
            raise MarketRefused(409, "conflict", "No.")
        self.verdicts.append(verdict)

    async def epoch(self) -> EpochRecord:
        if not self.has_epoch:
            raise MarketUnreachable("The marketplace does not answer.")
        return builders.epoch(cpu_record())

    async def newest_closed(self) -> int | None:
        return None if self.closed_epoch is None else self.closed_epoch.epoch

    async def closed(self, epoch: int) -> EpochRecord:
        assert self.closed_epoch is not None
        return self.closed_epoch

    async def post_scores(self, report: ScoreReport) -> None:
        self.reports.append(report)

    async def run(self, *, after_ms: int = 0) -> Report:
        self.now_ms += after_ms
        return await run_pass(self.ports(), self.memory)

    def ports(self, *, machines_at_once: int = 2) -> Ports:
        def now_ms() -> int:
            return self.now_ms

        return Ports(self, self, now_ms, lambda _: 0, ALICE, machines_at_once=machines_at_once)


async def test_a_pass_hands_in_a_verdict_and_the_scores() -> None:
    world = World()
    report = await world.run()
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.VERIFIED]
    assert (report.failed, report.scored) == (0, 1)
    assert world.reports[0].scores[0].points_micro > 0
    assert world.reports[0].validator_hotkey == ALICE


async def test_a_good_machine_is_left_in_peace_until_its_random_time() -> None:
    world = World()
    await world.run()
    report = await world.run(after_ms=LIGHT_AGAIN_MS[0] - 1)
    assert (world.looked, report.verdicts) == ([1], ())
    await world.run(after_ms=1)
    assert world.looked == [1, 1]


async def test_a_machine_that_changed_is_looked_at_at_once() -> None:
    world = World()
    await world.run()
    world.listed = (target(claimed=hardware(boot_id="b2")),)
    await world.run()
    assert world.looked == [1, 1]


async def test_a_bad_machine_is_looked_at_soon_and_then_ever_later() -> None:
    world = World(looks=lambda _: Look(Outcome.LOGIN_REFUSED, "It does not know us."))
    for waited_ms in (0, 2_000, 4_000, 8_000):
        await world.run(after_ms=waited_ms)
    assert len(world.looked) == 4
    for _ in range(9):
        await world.run(after_ms=BAD_AGAIN_MS_MAX)
    assert len(world.looked) == 13


def _break(machine: Target) -> Look:
    if machine.machine_id.int == 2:
        raise RuntimeError("a bug of ours")
    return SEEN


async def test_one_failing_machine_never_hurts_another() -> None:
    world = World(listed=tuple(target(number) for number in range(1, 6)), looks=_break)
    report = await world.run()
    assert report.failed == 1
    assert {verdict.machine_id.int for verdict in world.verdicts} == {1, 3, 4, 5}
    assert report.scored == 1


async def test_a_refused_verdict_is_tried_again_soon() -> None:
    world = World(refuse_verdicts_of=frozenset({UUID(int=1)}))
    assert (await world.run()).failed == 1
    world.refuse_verdicts_of = frozenset()
    assert len((await world.run(after_ms=FAILED_AGAIN_MS)).verdicts) == 1


async def test_a_first_refused_log_in_is_told_only_when_the_next_is_refused_too() -> None:
    world = World(looks=lambda _: Look(Outcome.LOGIN_REFUSED, "It does not know us."))
    await world.run()
    assert world.verdicts == []
    await world.run(after_ms=BAD_AGAIN_MS_MIN)
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.DEGRADED]
    world.looks = lambda _: SEEN
    await world.run(after_ms=BAD_AGAIN_MS_MAX)
    assert world.verdicts[-1].state is VerdictState.VERIFIED


async def test_a_proof_that_ends_before_it_is_done_is_told_of_when_it_goes_on() -> None:
    world = World(
        looks=lambda _: Look(Outcome.PROOF_UNFINISHED, "It ended.", hardware()),
        listed=(target(proven_at_ms=NOW_MS),),
    )
    for _ in range(3):
        await world.run(after_ms=8_000)
    assert world.verdicts == [], "a renter who came, or an agent that starts anew"
    await world.run(after_ms=8_000)
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.DEGRADED]


async def test_a_machine_never_proven_is_told_at_once_that_its_proof_did_not_finish() -> None:
    world = World(looks=lambda _: Look(Outcome.PROOF_UNFINISHED, "It ended.", hardware()))
    await world.run()
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.DEGRADED]


@SILENCES
async def test_a_machine_never_seen_is_told_of_its_silence_at_once(outcome: Outcome) -> None:
    world = World(looks=lambda _: Look(outcome, "It does not answer."))
    await world.run()
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.DEGRADED]


@SILENCES
async def test_silence_of_a_known_machine_is_unknown_until_the_grace_ends(
    outcome: Outcome,
) -> None:
    world = World()
    await world.run()
    world.looks = lambda _: Look(outcome, "It does not answer.")
    await world.run(after_ms=LIGHT_AGAIN_MS[0])
    await world.run(after_ms=SILENT_GRACE_MS - 1)
    assert [verdict.state for verdict in world.verdicts] == [VerdictState.VERIFIED]
    await world.run(after_ms=BAD_AGAIN_MS_MAX)
    assert world.verdicts[-1].state is VerdictState.DEGRADED


async def test_an_answer_ends_the_silence() -> None:
    world = World()
    await world.run()
    world.looks = lambda _: SILENT
    await world.run(after_ms=LIGHT_AGAIN_MS[0])
    world.looks = lambda _: SEEN
    await world.run(after_ms=SILENT_GRACE_MS * 2)
    world.looks = lambda _: SILENT
    await world.run(after_ms=LIGHT_AGAIN_MS[0])
    assert {verdict.state for verdict in world.verdicts} == {VerdictState.VERIFIED}


async def test_machines_no_longer_listed_are_forgotten() -> None:
    world = World()
    await world.run()
    world.listed = ()
    await world.run()
    assert not world.memory.machines


async def test_scores_that_cannot_be_had_cost_no_verdict_and_are_retried() -> None:
    world = World(has_epoch=False)
    report = await world.run()
    assert (len(report.verdicts), report.scored) == (1, None)
    world.has_epoch = True
    assert (await world.run(after_ms=60_000)).scored == 1


async def test_at_most_so_many_machines_are_looked_at_at_once() -> None:
    inside, most = 0, 0

    @dataclass
    class Counting(World):
        async def look(self, target: Target, **how: object) -> Look:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            for _ in range(3):
                await _turn()
            inside -= 1
            return SEEN

    proven = tuple(target(number, proven_at_ms=NOW_MS) for number in range(9))
    await Counting(listed=proven).run()
    assert most == 2


async def _turn() -> None:

    await asyncio.sleep(0)


@dataclass
class Slow(World):
    """Machines whose looks end only when the test says so."""

    ends: dict[int, asyncio.Event] = field(default_factory=dict)

    async def look(self, target: Target, **how: object) -> Look:
        number = target.machine_id.int
        self.looked.append(number)
        await self.ends.setdefault(number, asyncio.Event()).wait()
        return self.looks(target)

    async def step(self, *, places: int = 2) -> Report:
        report = await step(self.ports(machines_at_once=places), self.memory)
        for _ in range(5):
            await _turn()
        return report

    def end(self, number: int) -> None:
        self.ends.setdefault(number, asyncio.Event()).set()


async def test_a_slow_machine_holds_up_neither_looks_nor_scores() -> None:
    world = Slow(listed=tuple(target(number, proven_at_ms=NOW_MS) for number in range(1, 6)))
    for number in (2, 3, 4, 5):
        world.end(number)
    for _ in range(5):
        await world.step()
    assert world.looked == [1, 2, 3, 4, 5]
    assert {verdict.machine_id.int for verdict in world.verdicts} == {2, 3, 4, 5}
    told = len(world.reports)
    world.now_ms += SCORES_AGAIN_MS
    assert (await world.step()).scored == 1
    assert len(world.reports) == told + 1
    world.end(1)
    await _turn()
    assert [each.machine_id.int for each in (await world.step()).verdicts] == [1]


async def test_machines_that_are_not_well_leave_half_of_the_places_to_the_others() -> None:
    world = World(listed=tuple(target(number) for number in range(1, 9)), looks=lambda _: SILENT)
    await world.run()
    later = Slow(listed=world.listed, memory=world.memory, now_ms=world.now_ms + BAD_AGAIN_MS_MAX)
    later.listed += tuple(target(number, proven_at_ms=NOW_MS) for number in range(9, 13))
    await later.step(places=4)
    assert later.looked == [1, 2, 9, 10]


async def test_new_keys_never_take_all_places_from_machines_that_were_proven() -> None:
    new = tuple(target(number) for number in range(1, 9))
    world = Slow(listed=(*new, target(9, proven_at_ms=NOW_MS), target(10, proven_at_ms=NOW_MS)))
    await world.step(places=4)
    assert world.looked == [1, 2, 9, 10]
    world.end(1)
    await world.step(places=4)
    await world.step(places=4)
    assert world.looked == [1, 2, 9, 10, 3]


async def test_a_machine_is_read_anew_before_its_look() -> None:
    seen: list[bool] = []

    def looked(found: Target) -> Look:
        seen.append(found.busy)
        return SEEN

    world = World(listed=(target(1), target(2)), looks=looked)
    listed = await world.targets()
    world.listed = (target(1, busy=True),)
    world.memory = Memory(listed=listed, list_again_ms=world.now_ms + 1)
    await step(world.ports(), world.memory)
    while world.memory.looks:
        await asyncio.wait(world.memory.looks.values())
        await step(world.ports(), world.memory)
    assert seen == [True]


async def test_a_closed_epoch_is_scored_once_and_its_record_is_named() -> None:
    world = World(closed_epoch=builders.epoch(cpu_record(7)))
    await world.run()
    await world.run(after_ms=SCORES_AGAIN_MS)
    closed = [report for report in world.reports if report.record_sha256]
    assert [report.epoch for report in closed] == [7]
    assert closed[0].record_sha256 == closed_epochs.sha256(builders.epoch(cpu_record(7)))
    assert [score.machine_id.int for score in closed[0].scores] == [7]
    assert len(world.reports) > len(closed)


async def test_machines_are_not_all_gone_through_again_for_each_look_that_ends() -> None:
    class Listed(tuple[Target, ...]):
        walks = 0

        def __iter__(self) -> Iterator[Target]:
            Listed.walks += 1
            return super().__iter__()

    class Many(World):
        async def targets(self) -> tuple[Target, ...]:
            return Listed(self.listed)

    async def walks(count: int) -> int:
        world = Many(listed=tuple(target(each, proven_at_ms=NOW_MS) for each in range(count)))
        Listed.walks = 0
        await step(world.ports(), world.memory)
        while world.memory.looks:
            await asyncio.wait(world.memory.looks.values(), return_when=asyncio.FIRST_COMPLETED)
            await step(world.ports(), world.memory)
        assert len(world.verdicts) == count
        return Listed.walks

    assert await walks(40) == await walks(10)


async def test_a_machine_that_is_due_between_two_lists_is_looked_at_within_a_second() -> None:
    world = Slow(looks=lambda _: Look(Outcome.LOGIN_REFUSED, "It does not know us."))
    world.end(1)
    for _ in range(2):
        await world.step()
    world.memory.list_again_ms = 1 << 60
    world.now_ms += BAD_AGAIN_MS_MIN - 1
    await world.step()
    assert world.looked == [1]
    world.now_ms += DUE_AGAIN_MS
    await world.step()
    assert world.looked == [1, 1]
