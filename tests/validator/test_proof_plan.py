"""How much work is demanded, what it measures, and the Merkle paths."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.validator.prover import levels_of, path_of
from validator.domain.proof import PAGE_BYTES, Timings, measure, plan
from validator.proof import verify

MIB = 1024**2


def test_the_work_fits_beside_the_renters() -> None:
    work = plan(cpus_free=4, memory_bytes_free=100 * MIB, memory_bytes_max=256 * MIB)
    assert work is not None
    assert work.procs == 4
    assert work.pages * PAGE_BYTES == 50 * MIB


@given(st.integers(-4, 4096), st.integers(0, 1 << 45))
def test_the_work_is_always_bounded(cpus: int, memory_bytes: int) -> None:
    work = plan(cpus_free=cpus, memory_bytes_free=memory_bytes, memory_bytes_max=256 * MIB)
    if work is None:
        assert cpus < 1 or memory_bytes < 2 * MIB
        return
    assert work.pages * PAGE_BYTES <= min(256 * MIB, memory_bytes)
    assert work.procs <= cpus
    # about a second per phase on a core of a million iterations/s and 2,000 pages/s
    assert work.hash_tasks * work.hash_iterations / work.procs <= 1_000_000
    assert work.pages / work.procs <= 2_048


def test_a_slow_handshake_wins_at_most_half_the_time() -> None:
    work = plan(cpus_free=1, memory_bytes_free=8 * MIB, memory_bytes_max=8 * MIB)
    assert work is not None
    plain = measure(work, Timings(hash_s=0.4, fill_s=0.1, walk_s=0.4, rtt_s=0.0))
    cheat = measure(work, Timings(hash_s=0.4, fill_s=0.1, walk_s=0.4, rtt_s=30.0))
    assert cheat.cpu_hash_rate <= 2 * plain.cpu_hash_rate
    assert plain.proof_ms == 900


@given(st.integers(1, 70), st.data())
def test_every_leaf_of_every_tree_climbs_to_the_root(leaves: int, data: st.DataObject) -> None:
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(leaves)]
    levels = levels_of(digests)
    leaf = data.draw(st.integers(0, leaves - 1))
    path = path_of(levels, leaf)
    climbed = verify.root_of(digests[leaf], leaf=leaf, leaves=leaves, path=path)
    assert climbed == levels[-1][0]
    for wrong in (path[:-1], [*path, bytes(32)]):
        if len(wrong) != len(path):
            with pytest.raises(ValueError, match="length"):
                verify.root_of(digests[leaf], leaf=leaf, leaves=leaves, path=wrong)


def test_a_known_walk_and_task_are_recomputed() -> None:
    """Written out once more by hand from the protocol's text."""
    fill, steer = b"f" * 32, b"w" * 32
    state = hashlib.sha256(steer + (5).to_bytes(8, "little")).digest()
    for _ in range(3):
        page = int.from_bytes(state[:8], "little") % 7
        offset = int.from_bytes(state[8:16], "little") % 1024 * 64
        content = hashlib.shake_128(fill + page.to_bytes(8, "little")).digest(65_536)
        state = hashlib.sha256(state + content[offset : offset + 64]).digest()
    assert verify.walk(fill, steer, number=5, steps=3, pages=7) == state
    assert verify.hash_task(fill, task=3, iterations=2) == hashlib.pbkdf2_hmac(
        "sha256", fill, b"\x03" + bytes(7), 2
    )
