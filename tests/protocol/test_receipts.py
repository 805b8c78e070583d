"""Receipts: a chain proves exactly its own time, and any tampering is caught."""

from collections.abc import Callable
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocol.receipts import (
    GENESIS,
    INTERVAL_MS_MAX,
    BrokenChain,
    Interval,
    SignedInterval,
    check_chain,
    check_next,
    digest,
    sign_interval,
)
from protocol.signing import public_key_of

MACHINE = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
PLACEMENT = UUID(int=7)
#: (new run?, gap before it, length) of each interval, in ms
STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 5000), st.integers(1, INTERVAL_MS_MAX)),
    min_size=1,
    max_size=8,
)
Step = tuple[bool, int, int]
CHANGES: dict[str, Callable[[Interval], dict[str, object]]] = {
    "machine_key": lambda _: {"machine_key": public_key_of(OTHER)},
    "placement_id": lambda _: {"placement_id": UUID(int=8)},
    "sequence": lambda one: {"sequence": one.sequence + 1},
    "previous": lambda _: {"previous": "f" * 64},
    "run": lambda one: {"run": one.run + 1},
    "from_age_ms": lambda one: {"from_age_ms": one.from_age_ms + 1},
    "to_age_ms": lambda one: {"to_age_ms": one.to_age_ms + 1},
    "nonce": lambda one: {"nonce": one.nonce + "x"},
}


def chain_of(steps: list[Step], private: Ed25519PrivateKey = MACHINE) -> list[SignedInterval]:
    """Return an honest machine's chain."""
    chain: list[SignedInterval] = []
    run, age_ms, previous = 0, 0, GENESIS
    for sequence, (restarted, gap_ms, length_ms) in enumerate(steps):
        if restarted:
            run, age_ms = run + 1, 0
        interval = Interval(
            machine_key=public_key_of(private),
            placement_id=PLACEMENT,
            sequence=sequence,
            previous=previous,
            run=run,
            from_age_ms=age_ms + gap_ms,
            to_age_ms=age_ms + gap_ms + length_ms,
            nonce=f"n{sequence}",
        )
        chain.append(sign_interval(private, interval))
        age_ms, previous = interval.to_age_ms, digest(interval)
    return chain


@given(steps=STEPS)
def test_an_honest_chain_proves_the_sum_of_its_intervals(steps: list[Step]) -> None:
    assert check_chain(chain_of(steps)) == sum(length_ms for _, _, length_ms in steps)


def test_no_interval_proves_nothing() -> None:
    assert check_chain([]) == 0


@given(steps=STEPS, place=st.integers(0), name=st.sampled_from(sorted(CHANGES)))
def test_any_changed_field_of_any_interval_is_caught(
    steps: list[Step], place: int, name: str
) -> None:
    chain = chain_of(steps)
    index = place % len(chain)
    interval = chain[index].interval
    changed = interval.model_copy(update=CHANGES[name](interval))
    chain[index] = chain[index].model_copy(update={"interval": changed})

    with pytest.raises(BrokenChain):
        check_chain(chain)


@given(steps=STEPS.filter(lambda steps: len(steps) > 1), place=st.integers(0))
def test_a_missing_interval_is_caught_unless_it_is_the_last(steps: list[Step], place: int) -> None:
    chain = chain_of(steps)
    del chain[place % (len(chain) - 1)]

    with pytest.raises(BrokenChain):
        check_chain(chain)


@given(steps=STEPS, place=st.integers(0))
def test_a_repeated_interval_is_caught(steps: list[Step], place: int) -> None:
    chain = chain_of(steps)
    index = place % len(chain)

    with pytest.raises(BrokenChain):
        check_chain([*chain[: index + 1], chain[index], *chain[index + 1 :]])


@given(steps=STEPS.filter(lambda steps: len(steps) > 1), place=st.integers(0))
def test_swapped_intervals_are_caught(steps: list[Step], place: int) -> None:
    chain = chain_of(steps)
    index = place % (len(chain) - 1)
    chain[index], chain[index + 1] = chain[index + 1], chain[index]

    with pytest.raises(BrokenChain):
        check_chain(chain)


@given(steps=STEPS, place=st.integers(0))
def test_a_signature_of_another_machine_is_caught(steps: list[Step], place: int) -> None:
    chain = chain_of(steps)
    index = place % len(chain)
    chain[index] = sign_interval(OTHER, chain[index].interval)

    with pytest.raises(BrokenChain, match="signature"):
        check_chain(chain)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"machine_key": public_key_of(OTHER)}, "another machine"),
        ({"sequence": 5}, "out of order"),
        ({"previous": GENESIS}, "does not continue"),
        ({"placement_id": UUID(int=9)}, "another placement"),
        ({"run": 0}, "earlier run"),
        ({"from_age_ms": 5}, "overlaps"),
    ],
)
def test_a_machine_that_signs_nonsense_itself_is_told_what(
    changes: dict[str, object], sentence: str
) -> None:
    first, second = (one.interval for one in chain_of([(True, 0, 100), (False, 0, 100)]))
    signed = sign_interval(MACHINE, second.model_copy(update=changes))

    with pytest.raises(BrokenChain, match=sentence):
        check_next(signed, machine_key=public_key_of(MACHINE), previous=first)


def test_a_chain_may_not_begin_in_its_middle() -> None:
    second = chain_of([(False, 0, 100), (False, 0, 100)])[1]

    with pytest.raises(BrokenChain, match="out of order"):
        check_next(second, machine_key=public_key_of(MACHINE), previous=None)


@pytest.mark.parametrize("length_ms", [0, -1, INTERVAL_MS_MAX + 1])
def test_an_interval_of_no_or_too_much_time_cannot_be_made(length_ms: int) -> None:
    with pytest.raises(ValidationError):
        Interval(
            machine_key=public_key_of(MACHINE),
            placement_id=PLACEMENT,
            sequence=0,
            previous=GENESIS,
            run=0,
            from_age_ms=10,
            to_age_ms=10 + length_ms,
            nonce="",
        )
