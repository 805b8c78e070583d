"""This will check what one GPU opened against what its roots had promised."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from validator.domain.gpu_proof import (
    AFTER,
    FOLD_BYTES,
    PATCHES,
    REGION_THREADS,
    GpuPlan,
    GpuTask,
    Openings,
    depth_of,
    power_of_two,
)
from validator.proof import gpu_arithmetic as arithmetic
from validator.proof.conversation import ProofWrong, Randomness

#: content and path of one opened leaf
Leaf = tuple[bytes, bytes]

PIECES_MAX = 64


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that one device answered, and what it was asked."""

    work: GpuPlan
    task: GpuTask
    identity: bytes
    nonces: Mapping[str, bytes]
    regions: int
    #: by scan: one root a pass
    roots: Mapping[int, tuple[bytes, ...]]
    product_root: bytes
    openings: Openings
    scan_leaves: tuple[Leaf, ...]
    product_leaves: tuple[Leaf, ...]


def leaves_of(value: object, count: int) -> tuple[Leaf, ...]:
    """Return the opened leaves of an answer: pairs of texts, each cut into short pieces.

    :raises ProofWrong: when they are not so many, or not of this shape.
    """
    if not isinstance(value, list) or len(value) != count:
        raise ProofWrong("A GPU opened another number of leaves.")
    return tuple(_leaf(item) for item in value)


def _leaf(item: object) -> Leaf:
    if not isinstance(item, list) or len(item) != 2:
        raise ProofWrong("An opened leaf has the wrong shape.")
    content, path = (_bytes(part) for part in item)
    return content, path


def _bytes(pieces: object) -> bytes:
    if not isinstance(pieces, list) or len(pieces) > PIECES_MAX:
        raise ProofWrong("An opened leaf has the wrong shape.")
    try:
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ProofWrong("An opened leaf is not base64.") from error


def check(evidence: Evidence, randomness: Randomness) -> None:
    """Recompute one random part of every opened leaf.

    :raises ProofWrong: when one differs, or does not belong to its root.
    """
    _check_scans(evidence, randomness)
    _check_products(evidence, randomness)


def _check_scans(evidence: Evidence, randomness: Randomness) -> None:
    fill_seed = arithmetic.seed(evidence.identity, b"fill", evidence.nonces["fill"])
    size = REGION_THREADS * FOLD_BYTES
    for (slot, number, region), (folds, path) in zip(
        evidence.openings.scans, evidence.scan_leaves, strict=True
    ):
        roots = evidence.roots[slot]
        _check_path(
            evidence,
            folds,
            path,
            size=size,
            leaf=region,
            leaves=evidence.regions,
            root=roots[number],
        )
        nonce = evidence.nonces["scan_after" if slot == AFTER else "scan"]
        scan_seed = arithmetic.seed(evidence.identity, b"scan", nonce)
        before = roots[number - 1] if number else bytes(arithmetic.DIGEST_BYTES)
        thread = randomness.below(REGION_THREADS)
        right = arithmetic.scan_fold(
            fill_seed,
            arithmetic.pass_key(scan_seed, before),
            region=region,
            thread=thread,
            iterations=evidence.work.rules.iterations,
        )
        if arithmetic.fold_at(folds, thread) != right:
            raise _wrong(evidence, "A part of the memory was not read, or was not filled")


def _check_products(evidence: Evidence, randomness: Randomness) -> None:
    work = evidence.work
    multiply_seed = arithmetic.seed(evidence.identity, b"multiply", evidence.nonces["multiply"])
    for leaf, (folds, path) in zip(
        evidence.openings.products, evidence.product_leaves, strict=True
    ):
        _check_path(
            evidence,
            folds,
            path,
            size=PATCHES * FOLD_BYTES,
            leaf=leaf,
            leaves=power_of_two(evidence.task.products) * work.blocks,
            root=evidence.product_root,
        )
        number, block = divmod(leaf, work.blocks)
        patch = randomness.below(PATCHES)
        row, column = arithmetic.patch_place(block, patch, columns=work.columns)
        right = arithmetic.patch_fold(
            arithmetic.product_keys(multiply_seed, number),
            row=row,
            column=column,
            depth=work.depth,
            columns=work.columns,
        )
        if arithmetic.fold_at(folds, patch) != right:
            raise _wrong(evidence, "A part of a product was not computed")


def _check_path(
    evidence: Evidence,
    content: bytes,
    path: bytes,
    *,
    size: int,
    leaf: int,
    leaves: int,
    root: bytes,
) -> None:
    if len(content) != size or len(path) != depth_of(leaves) * arithmetic.DIGEST_BYTES:
        raise _wrong(evidence, "An opened leaf has the wrong size")
    if arithmetic.root_of(content, leaf=leaf, path=path) != root:
        raise _wrong(evidence, "An opened leaf does not belong to the committed root")


def _wrong(evidence: Evidence, what: str) -> ProofWrong:
    return ProofWrong(f"{what}: GPU {evidence.task.device.index}.")
