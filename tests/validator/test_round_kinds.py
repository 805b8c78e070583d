"""Why machines are looked at: between proofs, at rentals, after changes, and together."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID

import pytest

from protocol.validator import LookKind, Target, Together, VerdictState
from tests.validator.builders import NOW_MS, gpu, hardware, target
from tests.validator.test_round import SEEN, SILENT, Slow, World
from tests.validator.virtual_time import run
from validator.barrier import GateShut
from validator.domain import schedule, together
from validator.domain.conviction import APART_MS
from validator.domain.verdict import Look, Outcome
from validator.looking import DUE_AGAIN_MS
from validator.memory import Ports

H100 = hardware(gpus=(gpu(1),))
FACTS = replace(SEEN, measurement=None)
PROVEN = target(proven_at_ms=NOW_MS)
ASKED = Together(group=UUID(int=9), since_ms=NOW_MS)


@dataclass
class Kinds(World):
    """A world that shows facts alone where nothing else is asked, and notes when gates open."""

    listed: tuple[Target, ...] = (PROVEN,)
    #: seconds that a machine takes to be ready
    ready_s: dict[int, float] = field(default_factory=dict)
    released_s: dict[int, float] = field(default_factory=dict)
    most: int = 8
    chance: Random = field(default_factory=lambda: Random(3))

    async def look(self, target: Target, **how: object) -> Look:
        number = target.machine_id.int
        self.looked.append(number)
        if how.get("facts_only"):
            return replace(self.looks(target), measurement=None)
        gate: Callable[[], Awaitable[None]] | None = how.get("gate")  # type: ignore[assignment]
        if gate is not None:
            await asyncio.sleep(self.ready_s.get(number, 0))
            try:
                await gate()
            except GateShut as late:
                return Look(Outcome.PROOF_UNFINISHED, str(late), target.claimed)
            self.released_s[number] = asyncio.get_running_loop().time()
            await asyncio.sleep(3)
        return self.looks(target)

    def ports(self, *, machines_at_once: int = 8) -> Ports:
        return replace(super().ports(machines_at_once=self.most), below=self.chance.randrange)

    @property
    def kinds(self) -> list[LookKind]:
        return [verdict.look for verdict in self.verdicts]

    def seen(self, number: int = 1) -> schedule.Known:
        return self.memory.machines[UUID(int=number)]


async def test_a_verdict_tells_why_the_machine_was_looked_at() -> None:
    world = Kinds(listed=(target(),))
    await world.run()
    world.listed = (PROVEN,)
    await world.run(after_ms=schedule.LIGHT_AGAIN_MS[1])
    world.listed = (target(proven_at_ms=NOW_MS, rented_at_ms=NOW_MS, busy=True),)
    await world.run(after_ms=3000)
    world.listed = (target(proven_at_ms=NOW_MS, rented_at_ms=NOW_MS, fresh_since_ms=NOW_MS),)
    await world.run(after_ms=schedule.TRIGGERED_APART_MS)
    assert world.kinds == ["onboarding", "light", "rental", "demanded"]
    assert {verdict.state for verdict in world.verdicts} == {VerdictState.VERIFIED}
    assert [verdict.measurement is None for verdict in world.verdicts] == [False, True, True, False]


async def test_nothing_is_said_of_a_machine_that_shows_another_boot_before_it_is_proven() -> None:
    world = Kinds()
    await world.run()
    world.looks = lambda _: replace(SEEN, hardware=hardware(boot_id="b2"))
    await world.run(after_ms=schedule.LIGHT_AGAIN_MS[1])
    assert world.kinds == ["periodic"]
    await world.run(after_ms=1)
    assert world.kinds == ["periodic", "change"]


async def test_a_machine_that_fails_two_looks_is_banned_until_an_appeal_is_granted() -> None:
    world = Kinds(looks=lambda _: Look(Outcome.PROOF_WRONG, "Wrong."))
    await world.run()
    assert world.verdicts[-1].state is VerdictState.SUSPENDED
    await world.run(after_ms=APART_MS)
    assert world.verdicts[-1].state is VerdictState.BANNED
    world.looks = lambda _: SEEN
    await world.run(after_ms=schedule.BAD_AGAIN_MS_MAX)
    assert world.verdicts[-1].state is VerdictState.BANNED
    world.listed = (target(proven_at_ms=NOW_MS, fresh_since_ms=world.now_ms),)
    await world.run(after_ms=3000)
    assert (world.verdicts[-1].state, world.kinds[-1]) == (VerdictState.VERIFIED, "demanded")


def pair(**changes: object) -> tuple[Target, ...]:
    return tuple(target(number, proven_at_ms=NOW_MS, **changes) for number in (1, 2))


def test_machines_that_show_the_same_are_let_go_in_one_instant() -> None:
    world = Kinds(listed=pair(together=ASKED), ready_s={1: 0.5, 2: 4})
    run(world.run())
    assert world.released_s == {1: pytest.approx(4, abs=0.1), 2: pytest.approx(4, abs=0.1)}
    assert world.kinds == [LookKind.TOGETHER] * 2
    assert {verdict.group for verdict in world.verdicts} == {ASKED.group}
    # It is done: the next look asks for facts alone.
    run(world.run(after_ms=schedule.LIGHT_AGAIN_MS[1]))
    assert world.kinds[2:] == [LookKind.LIGHT] * 2


def test_of_two_that_show_the_same_one_that_fails_is_judged_alone() -> None:
    def looks(found: Target) -> Look:
        wrong = Look(Outcome.PROOF_WRONG, "Wrong.", found.claimed)
        return SEEN if found.machine_id.int == 1 else wrong

    world = Kinds(listed=pair(together=ASKED), looks=looks)
    run(world.run())
    states = {verdict.machine_id.int: verdict.state for verdict in world.verdicts}
    assert states == {1: VerdictState.VERIFIED, 2: VerdictState.BANNED}


def test_a_slow_machine_holds_the_others_only_so_long_and_is_asked_again() -> None:
    world = Kinds(listed=pair(together=ASKED), ready_s={2: together.WAIT_S_MAX + 1})
    run(world.run())
    assert world.released_s == {1: pytest.approx(together.WAIT_S_MAX)}
    states = {verdict.machine_id.int: verdict.state for verdict in world.verdicts}
    assert states == {1: VerdictState.VERIFIED, 2: VerdictState.DEGRADED}
    world.ready_s, world.released_s = {}, {}
    run(world.run(after_ms=schedule.BAD_AGAIN_MS_MIN))
    assert set(world.released_s) == {1, 2}, "the other has to work beside it"


def test_a_machine_that_waits_for_its_group_stays_verified_by_its_facts() -> None:
    world = Kinds(listed=pair())
    run(world.run())
    world.listed = pair(together=ASKED)
    # The other one is never free: whoever made it alike must not take this one off the market.
    world.memory.not_before_ms[UUID(int=2)] = 1 << 60
    for _ in range(4):
        run(world.run(after_ms=schedule.LIGHT_AGAIN_MS[1]))
    assert world.kinds == ["periodic", "periodic", *["light"] * 4]
    world.memory.not_before_ms.clear()
    run(world.run(after_ms=1000))
    assert world.kinds[-2:] == [LookKind.TOGETHER] * 2


def test_who_shows_the_same_and_never_answers_does_not_use_up_the_others_time_for_proofs() -> None:
    world = Kinds(listed=pair(together=ASKED))
    world.looks = lambda found: SEEN if found.machine_id.int == 1 else SILENT
    for _ in range(12):
        run(world.run(after_ms=schedule.BAD_AGAIN_MS_MAX))
    proofs = [
        verdict.look
        for verdict in world.verdicts
        if verdict.machine_id.int == 1 and verdict.look is LookKind.TOGETHER
    ]
    assert len(proofs) == schedule.BESIDE_OTHERS_MAX
    assert world.looked.count(1) > len(proofs), "its facts are looked at still"
    assert world.memory.machines[UUID(int=2)].owed is LookKind.TOGETHER
    run(world.run(after_ms=schedule.BESIDE_OTHERS_MS))
    assert world.kinds[-1] is LookKind.TOGETHER


def test_a_group_waits_until_none_of_its_machines_is_looked_at() -> None:
    async def scene(world: Slow) -> list[list[int]]:
        looked = []
        await world.step()
        world.listed, world.memory.list_again_ms = pair(together=ASKED), 0
        world.end(1)
        for _ in range(2):
            await world.step(places=8)
            looked.append(list(world.looked))
        world.end(2)
        for _ in range(3):
            await world.step(places=8)
            world.now_ms += DUE_AGAIN_MS
        return [*looked, list(world.looked)]

    before = [1, 2]
    assert run(scene(Slow(listed=pair()))) == [before, before, [1, 2, 1, 2]]


def fleet(count: int, **changes: object) -> tuple[Target, ...]:
    return tuple(
        target(number, claimed=H100, proven_at_ms=NOW_MS, **changes)
        for number in range(1, count + 1)
    )


def well(world: Kinds) -> None:
    """Look at every machine once, and let the next window of the model open now."""
    world.looks = lambda _: replace(SEEN, hardware=H100)
    run(world.run())
    for machine_id, known in world.memory.machines.items():
        world.memory.machines[machine_id] = replace(
            known, bad_looks=0, owed=LookKind.LIGHT, look_again_ms=1 << 60, proof_due_ms=1 << 60
        )
    world.memory.windows_ms = {"NVIDIA H100 80GB HBM3": world.now_ms}
    world.released_s.clear()
    world.verdicts.clear()


def test_all_idle_machines_of_a_model_are_proven_in_one_window_at_a_random_time() -> None:
    world = Kinds(listed=fleet(5), ready_s={3: 2.5})
    well(world)
    world.listed = (*fleet(4), target(5, claimed=H100, proven_at_ms=NOW_MS, busy=True))
    run(world.run(after_ms=1000))
    assert set(world.released_s) == {1, 2, 3, 4}
    assert max(world.released_s.values()) - min(world.released_s.values()) < 0.1
    assert len({verdict.group for verdict in world.verdicts}) == 1
    assert world.memory.windows_ms["NVIDIA H100 80GB HBM3"] > world.now_ms


def test_a_window_takes_no_more_machines_than_may_be_looked_at_at_once() -> None:
    world = Kinds(listed=fleet(9), most=4)
    well(world)
    run(world.run(after_ms=1000))
    assert len(world.released_s) == 4


def test_one_that_missed_a_window_is_proven_with_a_few_others() -> None:
    world = Kinds(listed=fleet(8))
    well(world)
    late = world.memory.machines[UUID(int=8)]
    world.memory.machines[UUID(int=8)] = replace(
        late, owed=LookKind.TOGETHER, look_again_ms=world.now_ms, bad_looks=1
    )
    world.memory.windows_ms = {"NVIDIA H100 80GB HBM3": 1 << 60}
    run(world.run(after_ms=1000))
    assert len(world.released_s) == 1 + together.WITNESSES
    assert 8 in world.released_s


def test_machines_that_did_their_part_today_are_no_witnesses() -> None:
    world = Kinds(listed=fleet(3))
    well(world)
    for number in (1, 2):
        machine_id, tired = UUID(int=number), (world.now_ms,) * schedule.BESIDE_OTHERS_MAX
        known = world.memory.machines[machine_id]
        world.memory.machines[machine_id] = replace(known, beside_ms=tired)
    owing = world.memory.machines[UUID(int=3)]
    world.memory.machines[UUID(int=3)] = replace(
        owing, owed=LookKind.TOGETHER, look_again_ms=world.now_ms, bad_looks=1
    )
    world.memory.windows_ms = {"NVIDIA H100 80GB HBM3": 1 << 60}
    run(world.run(after_ms=1000))
    assert set(world.released_s) == {3}


def test_silence_in_a_window_is_no_failure() -> None:
    world = Kinds(listed=fleet(2))
    well(world)
    world.looks = lambda _: SILENT
    run(world.run(after_ms=1000))
    assert world.verdicts == []
    assert not world.seen().failures.at_ms


async def test_a_validator_that_starts_anew_owes_no_proof_where_it_vouched_before() -> None:
    never = target(2)
    world = Kinds(listed=(target(proven_at_ms=NOW_MS, vouched=True), never))
    await world.run(after_ms=1)
    kinds = {verdict.machine_id.int: verdict.look for verdict in world.verdicts}
    assert kinds == {1: LookKind.LIGHT, 2: LookKind.ONBOARDING}


async def test_a_machine_that_comes_back_later_is_proven_at_once() -> None:
    world = Kinds(listed=())
    await world.run()
    world.listed = (target(proven_at_ms=NOW_MS, vouched=True),)
    await world.run(after_ms=1)
    assert world.kinds == [LookKind.PERIODIC]
