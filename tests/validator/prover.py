"""This will be a machine's half of the proof, honest or cheating in one chosen way.

Written apart from the agent's own, from the protocol's text, so that two readings of it must agree.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence

PAGE = 65_536


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def levels_of(digests: Sequence[bytes]) -> list[list[bytes]]:
    levels = [[sha(b"\x00" + digest) for digest in digests]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [below[i : i + 2] for i in range(0, len(below), 2)]
        levels.append([sha(b"\x01" + p[0] + p[1]) if len(p) == 2 else p[0] for p in pairs])
    return levels


def path_of(levels: Sequence[Sequence[bytes]], leaf: int) -> list[bytes]:
    path = []
    for level in levels[:-1]:
        if leaf ^ 1 < len(level):
            path.append(level[leaf ^ 1])
        leaf //= 2
    return path


class Prover:
    """Answers as the protocol says. A cheat overrides the one thing that it cheats at."""

    def __init__(self) -> None:
        self.bind = b""
        self.fill_seed = b""
        self.pages: dict[int, bytes] = {}
        self.page_count = 0
        self.trees: dict[str, tuple[list[bytes], list[list[bytes]]]] = {}

    def answer(self, demand: Mapping[str, object]) -> dict[str, object]:
        op = str(demand["op"])
        return {"op": op, **getattr(self, op, self.unknown)(demand)}

    def unknown(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"op": "error", "message": "BadRequest: This operation is not known."}

    def hello(self, demand: Mapping[str, object]) -> dict[str, object]:
        self.bind = bytes.fromhex(str(demand["bind"]))
        return {"version": 1, "cpus": 2, "affinity": 2, "gpus": []}

    def nonce(self, demand: Mapping[str, object]) -> bytes:
        return bytes.fromhex(str(demand["nonce"]))

    def seed(self, phase: bytes, demand: Mapping[str, object]) -> bytes:
        return sha(sha(self.bind + phase) + self.nonce(demand))

    def commit(self, what: str, digests: list[bytes]) -> dict[str, object]:
        self.trees[what] = (digests, levels_of(digests))
        return {"root": self.trees[what][1][-1][0].hex()}

    def task(self, key: bytes, number: int, iterations: int) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", key, struct.pack("<Q", number), iterations)

    def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
        key = self.seed(b"cpu", demand)
        tasks, iterations = int(str(demand["tasks"])), int(str(demand["iterations"]))
        return self.commit("hash", [self.task(key, j, iterations) for j in range(tasks)])

    def page(self, number: int) -> bytes:
        key = self.fill_seed + struct.pack("<Q", number)
        return hashlib.shake_128(key).digest(PAGE)

    def ram_fill(self, demand: Mapping[str, object]) -> dict[str, object]:
        self.fill_seed = self.seed(b"ram", demand)
        self.page_count = int(str(demand["pages"]))
        self.pages = {number: self.page(number) for number in range(self.page_count)}
        return {"pages": self.page_count}

    def ram_walk(self, demand: Mapping[str, object]) -> dict[str, object]:
        key = self.seed(b"walk", demand)
        walks, steps = int(str(demand["walks"])), int(str(demand["steps"]))
        return self.commit("walk", [self.walk(key, number, steps) for number in range(walks)])

    def walk(self, key: bytes, number: int, steps: int) -> bytes:
        state = sha(key + struct.pack("<Q", number))
        for _ in range(steps):
            page = self.kept(int.from_bytes(state[:8], "little") % self.page_count)
            offset = int.from_bytes(state[8:16], "little") % 1024 * 64
            state = sha(state + page[offset : offset + 64])
        return state

    def kept(self, number: int) -> bytes:
        return self.pages[number]

    def open(self, demand: Mapping[str, object]) -> dict[str, object]:
        digests, levels = self.trees[str(demand["what"])]
        leaves = demand["leaves"]
        assert isinstance(leaves, list)
        return {"items": [self.opened(digests, levels, leaf) for leaf in leaves]}

    def opened(
        self, digests: Sequence[bytes], levels: Sequence[Sequence[bytes]], leaf: int
    ) -> dict[str, object]:
        path = [node.hex() for node in path_of(levels, leaf)]
        return {"digest": digests[leaf].hex(), "path": path}


class HalfTheTasks(Prover):
    def task(self, key: bytes, number: int, iterations: int) -> bytes:
        return super().task(key, number, iterations) if number % 2 else bytes(32)


class FewerIterations(Prover):
    def task(self, key: bytes, number: int, iterations: int) -> bytes:
        return super().task(key, number, iterations // 2)


class ReplayedNonce(Prover):
    """Answers from work done before, under an older nonce."""

    def nonce(self, demand: Mapping[str, object]) -> bytes:
        return b"\x07" * 32


class FewerPages(Prover):
    def kept(self, number: int) -> bytes:
        return self.pages[number] if number % 2 else bytes(PAGE)


class AdmitsFewerPages(Prover):
    def ram_fill(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"pages": int(str(super().ram_fill(demand)["pages"])) // 2}


class WrongPath(Prover):
    def opened(
        self, digests: Sequence[bytes], levels: Sequence[Sequence[bytes]], leaf: int
    ) -> dict[str, object]:
        right = super().opened(digests, levels, leaf)
        return {**right, "path": ["00" * 32 for _ in path_of(levels, leaf)]}


class ShortPath(Prover):
    def opened(
        self, digests: Sequence[bytes], levels: Sequence[Sequence[bytes]], leaf: int
    ) -> dict[str, object]:
        return {"digest": levels[-1][0].hex(), "path": []}


class AnotherLeaf(Prover):
    """Opens leaf 0, which it did, whatever is asked."""

    def opened(
        self, digests: Sequence[bytes], levels: Sequence[Sequence[bytes]], leaf: int
    ) -> dict[str, object]:
        return super().opened(digests, levels, 0)


class FewerOpenings(Prover):
    def open(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"items": super().open(demand)["items"][:1]}  # type: ignore[index]


class OddOpening(Prover):
    def open(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"items": ["leaf"] * len(super().open(demand)["items"])}  # type: ignore[arg-type]


class NoDigest(Prover):
    def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"root": "zz" * 32}


class AnotherDemand(Prover):
    def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"op": "ram_fill"}


class GivesUp(Prover):
    def cpu_hash(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"op": "error", "message": "no memory \x1b[31mleft"}


class Busy(Prover):
    def hello(self, demand: Mapping[str, object]) -> dict[str, object]:
        return {"op": "error", "message": "Another proof is running."}
