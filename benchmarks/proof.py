"""This will measure what the proof-of-GPU costs a validator, and how large what it sends is.

Run it anywhere, without a GPU: ``python -m benchmarks.proof``. A full-size answer of one card is
made beforehand: each opened leaf is right where it will be looked at, and its path leads to its
root. Timed is all that the validator computes for one card: it reads the line, climbs each path and
computes each value anew. Honest runs are modelled on a virtual clock, as
``tests/validator/cheats/simulated.py`` says.
"""

import argparse
import base64
import json
import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace

from prover import bundle
from tests.validator.cheats import simulated
from tests.validator.cheats.simulated import DEVICE, MODEL
from validator.domain.gpu_proof import (
    AFTER,
    FOLD_BYTES,
    PATCHES,
    REGION_THREADS,
    GpuPlan,
    GpuTask,
    Openings,
    depth_of,
    draw,
    plan,
    power_of_two,
)
from validator.domain.json_line import parse_object
from validator.proof import gpu_arithmetic as arithmetic
from validator.proof.conversation import Randomness
from validator.proof.gpu_evidence import Evidence, check, leaves_of

#: which fold of each leaf is looked at
LOOKED_AT = 5
REGIONS = 306_000
NONCES = {phase: phase.encode() for phase in ("fill", "scan", "multiply", "scan_after")}
IDENTITY = bytes(32)
LINE_BYTES_MAX = 1 << 19


class SparseTree:
    """A Merkle tree of which only some leaves are known; all others are 32 zeros."""

    def __init__(self, depth: int, contents: Mapping[int, bytes]) -> None:
        level = {leaf: arithmetic.sha256(content) for leaf, content in contents.items()}
        self._levels, self._empty = [level], [bytes(32)]
        for _ in range(depth):
            empty = self._empty[-1]
            below, level = level, {}
            for node in {leaf >> 1 for leaf in below}:
                pair = (below.get(2 * node, empty), below.get(2 * node + 1, empty))
                level[node] = arithmetic.sha256(b"".join(pair))
            self._levels.append(level)
            self._empty.append(arithmetic.sha256(empty + empty))
        self.root = level[0]

    def path(self, leaf: int) -> bytes:
        """Return the siblings of a leaf, from below."""
        pairs = list(zip(self._levels, self._empty, strict=True))[:-1]
        return b"".join(row.get(leaf >> up ^ 1, empty) for up, (row, empty) in enumerate(pairs))


def answer_of(work: GpuPlan, task: GpuTask, openings: Openings) -> tuple[bytes, Evidence]:
    """Return a card's answer to the opening, and what the validator knows without it."""
    roots = {slot: [bytes(32)] * task.passes_of(slot) for slot in (0, AFTER)}
    scans = {}
    # In order of the passes, for each one's key depends on the root before it.
    for slot, number in sorted({(slot, number) for slot, number, _ in openings.scans}):
        regions = {region for s, n, region in openings.scans if (s, n) == (slot, number)}
        before = roots[slot][number - 1] if number else bytes(32)
        contents = {region: _scan_leaf(work, slot, before, region) for region in regions}
        tree = SparseTree(depth_of(REGIONS), contents)
        roots[slot][number] = tree.root
        scans |= {(slot, number, r): (contents[r], tree.path(r)) for r in regions}
    contents = {leaf: _product_leaf(work, leaf) for leaf in openings.products}
    products = SparseTree(depth_of(power_of_two(task.products) * work.blocks), contents)
    told = {
        "op": "gpu_open",
        "gpu": 0,
        "scans": [_texts(*scans[place]) for place in openings.scans],
        "products": [_texts(contents[leaf], products.path(leaf)) for leaf in openings.products],
    }
    evidence = Evidence(
        work=work,
        task=task,
        identity=IDENTITY,
        nonces=NONCES,
        regions=REGIONS,
        roots={slot: tuple(found) for slot, found in roots.items()},
        product_root=products.root,
        openings=openings,
        scan_leaves=(),
        product_leaves=(),
    )
    return json.dumps(told, separators=(",", ":")).encode(), evidence


def _scan_leaf(work: GpuPlan, slot: int, before: bytes, region: int) -> bytes:
    nonce = NONCES["scan_after" if slot == AFTER else "scan"]
    right = arithmetic.scan_fold(
        arithmetic.seed(IDENTITY, b"fill", NONCES["fill"]),
        arithmetic.pass_key(arithmetic.seed(IDENTITY, b"scan", nonce), before),
        region=region,
        thread=LOOKED_AT,
        iterations=work.rules.iterations,
    )
    return _with(right, REGION_THREADS)


def _product_leaf(work: GpuPlan, leaf: int) -> bytes:
    number, block = divmod(leaf, work.blocks)
    row, column = arithmetic.patch_place(block, LOOKED_AT, columns=work.columns)
    seed = arithmetic.seed(IDENTITY, b"multiply", NONCES["multiply"])
    right = arithmetic.patch_fold(
        arithmetic.product_keys(seed, number),
        row=row,
        column=column,
        depth=work.depth,
        columns=work.columns,
    )
    return _with(right, PATCHES)


def _with(right: bytes, folds: int) -> bytes:
    return bytes(LOOKED_AT * FOLD_BYTES) + right + bytes((folds - LOOKED_AT - 1) * FOLD_BYTES)


def _texts(content: bytes, path: bytes) -> list[list[str]]:
    return [
        [base64.b64encode(whole[at : at + 96]).decode() for at in range(0, len(whole), 96)]
        for whole in (content, path)
    ]


def verify(line: bytes, evidence: Evidence, openings: Openings) -> None:
    """Do all that a validator does with one card's answer."""
    told = parse_object(line, bytes_max=LINE_BYTES_MAX)
    opened = replace(
        evidence,
        scan_leaves=leaves_of(told["scans"], len(openings.scans)),
        product_leaves=leaves_of(told["products"], len(openings.products)),
    )
    check(opened, Randomness(draw=random.randbytes, below=lambda bound: LOOKED_AT))


def measured(*, proven_before: bool, rounds: int) -> dict[str, object]:
    """Return the processor time of checking one H100's proof, and the size of its answer."""
    work = plan([DEVICE], models={DEVICE.uuid: MODEL}, proven_before=proven_before)
    task = work.tasks[0]
    source = random.Random(1)
    openings = draw(task, regions=REGIONS, blocks=work.blocks, below=source.randrange)
    line, evidence = answer_of(work, task, openings)
    costs = []
    for _ in range(rounds):
        began = time.process_time()
        verify(line, evidence, openings)
        costs.append((time.process_time() - began) * 1000)
    return {
        "scan_checks": task.scan_checks,
        "product_checks": task.product_checks,
        "answer_bytes": len(line),
        "cpu_ms_median": round(statistics.median(costs), 1),
        "cpu_ms_best": round(min(costs), 1),
        "cpu_ms_worst": round(max(costs), 1),
    }


def refusals(runs: int) -> int:
    """Return how many of so many modelled honest runs a verdict finds fault with."""
    source, models = random.Random(5), simulated.known_models()
    refused = 0
    for number in range(runs):
        model = models[number % len(models)]
        rates, device = simulated.honest(model, source), simulated.device_of(model)
        refused += bool(simulated.run(device, rates, source, model=model.name)[1])
    return refused


def main() -> None:
    """Print sizes, processor times and refusals as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    told = {
        "program_bytes": len(bundle.program()),
        "first_line_bytes": len(bundle.line()),
        "a_card_known": measured(proven_before=True, rounds=options.rounds),
        "a_card_first_seen": measured(proven_before=False, rounds=options.rounds),
        "honest_runs_modelled": options.runs,
        "honest_runs_refused": refusals(options.runs),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
