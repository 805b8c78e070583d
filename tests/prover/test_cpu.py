"""The prover's answers against the definition of each step."""

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover.cpu import PAGE_BYTES, Cpu
from prover.lines import BadRequest, Session
from prover.merkle import merkle_levels, merkle_path, sha256

BIND, NONCE = b"\x01" * 32, b"\x02" * 16


def climb(digest: bytes, leaf: int, count: int, path: list[bytes]) -> bytes:
    """Return the root that a path leads to; written apart from the prover."""
    node, siblings = sha256(b"\x00" + digest), iter(path)
    while count > 1:
        if leaf % 2 == 1:
            node = sha256(b"\x01" + next(siblings) + node)
        elif leaf + 1 < count:
            node = sha256(b"\x01" + node + next(siblings))
        leaf, count = leaf // 2, (count + 1) // 2
    assert next(siblings, None) is None
    return node


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70))
def test_every_leaf_climbs_to_the_root(digests: list[bytes]) -> None:
    levels = merkle_levels(digests)
    for leaf, digest in enumerate(digests):
        path = merkle_path(levels, leaf)
        assert climb(digest, leaf, len(digests), path) == levels[-1][0]


class Prover:
    """The CPU's demands alone, as the dispatch loop calls them."""

    def __init__(self) -> None:
        cpu = Cpu(Session(bind=BIND), memory_bytes_most=64 * PAGE_BYTES, cores=2)
        self._demands = cpu.demands()

    def answer(self, request: dict[str, Any]) -> Any:
        return self._demands[request["op"]](request)


@pytest.fixture
def prover() -> Prover:
    return Prover()


def test_a_walk_reads_the_pages_that_were_filled(prover: Prover) -> None:
    pages, walks, steps = 5, 3, 40
    nonce = NONCE.hex()
    assert prover.answer({"op": "ram_fill", "nonce": nonce, "pages": pages, "procs": 2}) == {
        "pages": pages
    }
    request = {"op": "ram_walk", "nonce": nonce, "walks": walks, "steps": steps, "procs": 2}
    root = bytes.fromhex(prover.answer(request)["root"])
    opened = prover.answer({"op": "open", "what": "walk", "leaves": [0, 1, 2]})["items"]
    fill = sha256(sha256(BIND + b"ram") + NONCE)
    memory = [
        hashlib.shake_128(fill + struct.pack("<Q", page)).digest(65536) for page in range(pages)
    ]
    seed = sha256(sha256(BIND + b"walk") + NONCE)
    for walk, item in enumerate(opened):
        state = sha256(seed + struct.pack("<Q", walk))
        for _ in range(steps):
            page = int.from_bytes(state[:8], "little") % pages
            offset = (int.from_bytes(state[8:16], "little") % 1024) * 64
            state = sha256(state + memory[page][offset : offset + 64])
        assert item["digest"] == state.hex()
        path = [bytes.fromhex(sibling) for sibling in item["path"]]
        assert climb(state, walk, walks, path) == root


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "ram_fill", "nonce": "00", "pages": 65, "procs": 1},
        {"op": "ram_walk", "nonce": "00", "walks": 1, "steps": 1, "procs": 1},
        {"op": "open", "what": "hash", "leaves": [0]},
        {"op": "cpu_hash", "nonce": "00", "procs": 1, "tasks": 0, "iterations": 1},
    ],
)
def test_what_cannot_be_done_is_refused(prover: Prover, request_: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        prover.answer(request_)
