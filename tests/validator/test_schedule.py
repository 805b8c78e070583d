"""When a machine is looked at, and why: nobody can foretell a proof."""

import math
import random
from dataclasses import replace
from uuid import UUID

import pytest

from protocol.hardware import Hardware
from protocol.validator import WITHOUT_PROOF, LookKind, Target, Together
from tests.validator.builders import DAY_MS, NOW_MS, gpu, hardware, target
from tests.validator.test_verdict import GOOD
from validator.domain import schedule
from validator.domain.conviction import NONE
from validator.domain.schedule import Known, after, due, exponential_ms
from validator.domain.verdict import RULES, Look, Outcome

SEEN = Look(Outcome.SEEN, hardware=hardware(), measurement=GOOD)
FACTS = Look(Outcome.SEEN, hardware=hardware())
SILENT = Look(Outcome.SILENT, "Nothing answers.")
PROVEN = target(proven_at_ms=NOW_MS)
GROUP = Together(group=UUID(int=9), since_ms=NOW_MS)


def known_after(
    before: Known | None = None,
    *,
    of: Target = PROVEN,
    kind: LookKind = LookKind.PERIODIC,
    look: Look = SEEN,
    good: bool = True,
    at_ms: int = NOW_MS,
    draw: int = 0,
) -> Known:
    return after(
        before,
        target=of,
        kind=kind,
        look=look,
        good=good,
        failures=NONE,
        now_ms=at_ms,
        below=lambda bound: min(draw, bound - 1),
    )


def gaps_between_proofs(count: int) -> list[int]:
    """Return the times between a machine's proofs, while its facts are looked at in between."""
    chance, now_ms, gaps, known = random.Random(5), NOW_MS, [], None
    proven_at_ms, since_ms = NOW_MS, NOW_MS
    while len(gaps) < count:
        listed = target(proven_at_ms=proven_at_ms)
        kind = due(known, listed, now_ms)
        assert kind is not None
        if kind not in WITHOUT_PROOF:
            gaps += [now_ms - since_ms] if known else []
            proven_at_ms = since_ms = now_ms
        known = after(
            known,
            target=listed,
            kind=kind,
            look=FACTS if kind in WITHOUT_PROOF else SEEN,
            good=True,
            failures=NONE,
            now_ms=now_ms,
            below=chance.randrange,
        )
        now_ms = min(known.look_again_ms, known.proof_due_ms)
    return gaps


def test_the_gaps_between_proofs_are_exponential_whatever_lies_between() -> None:
    """Kolmogorov and Smirnov at 1 %: 1.63 / sqrt(n)."""
    gaps = sorted(gaps_between_proofs(1000))
    shares = [1 - math.exp(-gap / schedule.PROOF_MEAN_MS) for gap in gaps]
    apart = max(abs(share - (rank + 0.5) / 1000) for rank, share in enumerate(shares))
    assert apart < 1.63 / math.sqrt(1000)


def test_having_waited_says_nothing_about_how_long_is_left() -> None:
    chance = random.Random(6)
    times = [exponential_ms(1000, chance.randrange) for _ in range(20_000)]
    left = [time - 1500 for time in times if time > 1500]
    assert sum(times) / len(times) == pytest.approx(1000, rel=0.03)
    assert sum(left) / len(left) == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        (target(), LookKind.ONBOARDING),
        (target(proven_at_ms=NOW_MS), LookKind.PERIODIC),
        (target(together=GROUP), LookKind.TOGETHER),
    ],
)
def test_a_machine_never_seen_is_proven(listed: Target, kind: LookKind) -> None:
    assert due(None, listed, NOW_MS) is kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"cpus_free": 0, "memory_bytes_free": 0, "busy": True}, None),
        ({"claimed": hardware(boot_id="b2")}, LookKind.CHANGE),
        ({"claimed": hardware(gpus=(gpu(1),))}, LookKind.CHANGE),
        ({"claimed": hardware(cpus=8)}, LookKind.CHANGE),
        ({"address": "127.0.0.2"}, LookKind.CHANGE),
        ({"control_port": 2223}, LookKind.CHANGE),
        ({"rented_at_ms": NOW_MS}, LookKind.RENTAL),
        ({"fresh_since_ms": NOW_MS}, LookKind.DEMANDED),
        ({"together": GROUP}, LookKind.TOGETHER),
        ({"together": GROUP, "rented_at_ms": NOW_MS}, LookKind.TOGETHER),
    ],
)
def test_what_happens_on_a_machine_brings_a_look_at_once(
    changes: dict[str, object], kind: LookKind | None
) -> None:
    known = known_after(draw=1 << 40)
    now = target(**{"proven_at_ms": NOW_MS, **changes})
    assert due(known, now, NOW_MS + 1) is kind


def test_a_machine_that_always_changes_is_not_looked_at_all_the_time() -> None:
    other = target(proven_at_ms=NOW_MS, claimed=hardware(boot_id="b2"))
    known = known_after(kind=LookKind.CHANGE)
    assert due(known, other, NOW_MS + schedule.TRIGGERED_APART_MS - 1) is None
    assert due(known, other, NOW_MS + schedule.TRIGGERED_APART_MS) is LookKind.CHANGE


def test_facts_are_asked_for_between_two_proofs() -> None:
    known = known_after()
    earliest_ms, latest_ms = schedule.LIGHT_AGAIN_MS
    assert due(known, PROVEN, NOW_MS + earliest_ms - 1) is None
    assert due(known, PROVEN, NOW_MS + earliest_ms) is LookKind.LIGHT
    # A light look and the one after it may both fail before the verdict ends.
    assert 2 * latest_ms <= RULES.valid_ms


@pytest.mark.parametrize(
    "shows",
    [
        hardware(boot_id="b2"),
        hardware(cpu_model="Xeon"),
        hardware(cpus=2),
        hardware(gpus=(gpu(2),)),
        hardware(gpus=(gpu(1, driver="560.1"),)),
    ],
)
def test_facts_that_differ_from_the_last_ones_bring_a_proof_at_once(shows: object) -> None:
    before = known_after(look=replace(SEEN, hardware=hardware(gpus=(gpu(1),))))
    later_ms = NOW_MS + 400_000
    light = known_after(
        before, kind=LookKind.LIGHT, look=replace(FACTS, hardware=shows), at_ms=later_ms
    )
    assert due(light, PROVEN, later_ms) is LookKind.CHANGE


def test_other_memory_or_another_kernel_count_is_no_other_machine() -> None:
    less = replace(FACTS, hardware=hardware(memory_bytes=1, hostname="other"))
    light = known_after(known_after(), kind=LookKind.LIGHT, look=less)
    assert light.owed is LookKind.LIGHT


def test_a_short_silence_asks_for_no_proof_and_a_long_one_does() -> None:
    quiet = known_after(known_after(), kind=LookKind.LIGHT, look=SILENT, good=False)
    assert quiet.owed is LookKind.LIGHT
    later_ms = NOW_MS + schedule.SILENT_GRACE_MS
    gone = known_after(quiet, kind=LookKind.LIGHT, look=SILENT, good=False, at_ms=later_ms)
    assert due(gone, PROVEN, later_ms + schedule.BAD_AGAIN_MS_MAX) is LookKind.PERIODIC


def test_after_a_bad_look_only_a_proof_helps() -> None:
    bad = known_after(good=False)
    begun = target(proven_at_ms=NOW_MS, rented_at_ms=NOW_MS)
    assert due(bad, begun, NOW_MS) is None
    assert due(bad, begun, NOW_MS + schedule.BAD_AGAIN_MS_MIN) is LookKind.PERIODIC


@pytest.mark.parametrize(
    ("claimed", "look", "most_ms"),
    [
        (hardware(), SEEN, schedule.BAD_AGAIN_MS_MAX),
        (hardware(gpus=(gpu(1),)), SILENT, schedule.BAD_AGAIN_MS_MAX),
        (hardware(gpus=(gpu(1),)), SEEN, schedule.BAD_CARDS_AGAIN_MS_MAX),
        (hardware(gpus=(gpu(1),)), Look(Outcome.PROOF_WRONG), schedule.BAD_CARDS_AGAIN_MS_MAX),
    ],
)
def test_a_bad_machine_is_looked_at_ever_later_yet_before_its_verdict_ends(
    claimed: Hardware, look: Look, most_ms: int
) -> None:
    known, waits_ms = None, []
    for _ in range(15):
        known = known_after(known, of=target(claimed=claimed), look=look, good=False)
        waits_ms.append(known.look_again_ms - NOW_MS)
    assert waits_ms[:3] == [2_000, 4_000, 8_000]
    assert waits_ms == sorted(waits_ms)
    assert waits_ms[-1] == most_ms < RULES.bad_ms


def test_what_could_not_be_proven_for_renters_is_tried_again_soon() -> None:
    known = known_after(look=FACTS, kind=LookKind.PERIODIC)
    assert due(known, PROVEN, NOW_MS + schedule.LIGHT_AGAIN_MS[0]) is LookKind.PERIODIC


@pytest.mark.parametrize(
    "old",
    [
        target(proven_at_ms=NOW_MS),
        target(proven_at_ms=NOW_MS, busy=True),
        target(
            proven_at_ms=NOW_MS + DAY_MS,
            claimed=hardware(gpus=(gpu(1), gpu(2))),
            gpus_proven_at_ms={"GPU-1": NOW_MS + DAY_MS, "GPU-2": NOW_MS},
        ),
        # That of the card which nobody can prove now counts for no more.
        target(
            proven_at_ms=NOW_MS,
            claimed=hardware(gpus=(gpu(1), gpu(2))),
            gpus_proven_at_ms={"GPU-1": NOW_MS + DAY_MS, "GPU-2": NOW_MS - DAY_MS},
            gpus_rented=("GPU-2",),
        ),
    ],
)
def test_facts_alone_do_not_vouch_for_what_was_proven_too_long_ago(old: Target) -> None:
    last_ms = NOW_MS + RULES.unproven_ms_max
    known = known_after(of=old, at_ms=last_ms - schedule.LIGHT_AGAIN_MS[0])
    assert due(known, old, last_ms) is LookKind.LIGHT
    assert due(known, old, last_ms + 1) is LookKind.PERIODIC


def test_a_rented_card_that_was_never_proven_is_looked_at_with_a_proof() -> None:
    swapped = target(
        proven_at_ms=NOW_MS, claimed=hardware(gpus=(gpu(1),)), gpus_rented=("GPU-1",), busy=True
    )
    known = known_after(of=swapped)
    assert due(known, swapped, NOW_MS + schedule.LIGHT_AGAIN_MS[1]) is LookKind.PERIODIC


@pytest.mark.parametrize(
    ("look", "good", "rented", "stood"),
    [
        (SEEN, True, (), True),
        (SEEN, True, ("GPU-1",), False),
        (FACTS, True, (), False),
        (SILENT, False, (), False),
    ],
)
def test_a_proof_together_is_owed_until_it_is_stood(
    look: Look, good: bool, rented: tuple[str, ...], stood: bool
) -> None:
    asked = target(proven_at_ms=NOW_MS, together=GROUP, gpus_rented=rented)
    known = known_after(of=asked, kind=LookKind.TOGETHER, look=look, good=good)
    assert due(known, asked, NOW_MS) is None
    assert (known.together == GROUP) is stood
    later_ms = NOW_MS + schedule.LIGHT_AGAIN_MS[0]
    assert due(known, asked, later_ms) is (LookKind.LIGHT if stood else LookKind.TOGETHER)


def test_a_proof_together_that_renters_prevent_is_not_asked_for_all_day() -> None:
    asked = target(proven_at_ms=NOW_MS, together=GROUP, gpus_rented=("GPU-1",))
    known, now_ms, kinds = None, NOW_MS, []
    for _ in range(20):
        kind = due(known, asked, now_ms)
        assert kind is not None
        kinds.append(kind)
        look = FACTS if kind is LookKind.LIGHT else SEEN
        known = known_after(known, of=asked, kind=kind, look=look, at_ms=now_ms, draw=1 << 51)
        now_ms = known.look_again_ms
    assert kinds.count(LookKind.TOGETHER) == schedule.BESIDE_OTHERS_MAX
    assert kinds[-1] is LookKind.LIGHT
    assert known is not None
    assert due(known, asked, now_ms + schedule.BESIDE_OTHERS_MS) is LookKind.TOGETHER


def test_a_machine_without_gpu_is_looked_at_when_nobody_asks_for_a_proof_together_any_more() -> (
    None
):
    asked = target(proven_at_ms=NOW_MS, together=GROUP)
    known = known_after(of=asked, kind=LookKind.TOGETHER, look=FACTS)
    assert due(known, PROVEN, known.look_again_ms) is LookKind.PERIODIC


VOUCHED = target(proven_at_ms=NOW_MS, vouched=True)


@pytest.mark.parametrize(
    "listed", [target(vouched=True), target(proven_at_ms=NOW_MS)], ids=["unproven", "unvouched"]
)
def test_a_validator_that_starts_anew_takes_over_only_what_it_vouched_for(listed: Target) -> None:
    assert schedule.remembered(listed, NOW_MS, lambda _: 0, 1000) is None


def test_after_a_start_facts_come_first_and_the_proof_when_its_time_has_come() -> None:
    draw, mean_ms = 1 << 50, schedule.PROOF_MEAN_MS
    wait_ms = exponential_ms(mean_ms, lambda _: draw)
    known = schedule.remembered(VOUCHED, NOW_MS, lambda _: draw, mean_ms)
    assert known is not None
    assert due(known, VOUCHED, NOW_MS + 1) is LookKind.LIGHT
    light = after(
        known,
        target=VOUCHED,
        kind=LookKind.LIGHT,
        look=FACTS,
        good=True,
        failures=NONE,
        now_ms=NOW_MS + wait_ms - 1,
        below=lambda _: 0,
    )
    assert due(light, VOUCHED, NOW_MS + wait_ms - 1) is None
    assert due(light, VOUCHED, NOW_MS + wait_ms) is LookKind.PERIODIC


def test_a_proof_whose_time_came_while_nobody_was_there_is_made_at_once() -> None:
    known = schedule.remembered(VOUCHED, NOW_MS + DAY_MS, lambda bound: bound // 2, 1000)
    assert due(known, VOUCHED, NOW_MS + DAY_MS) is LookKind.PERIODIC


def test_facts_vouch_after_a_start_for_no_longer_than_ever() -> None:
    later_ms = NOW_MS + RULES.unproven_ms_max + 1
    known = schedule.remembered(VOUCHED, later_ms, lambda _: 0, 10**9 * DAY_MS)
    assert due(known, VOUCHED, later_ms) is LookKind.PERIODIC
