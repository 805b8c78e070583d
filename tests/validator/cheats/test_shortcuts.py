"""Products without multiplying: what works on structured matrices or linear folds, not on ours."""

import numpy as np
import pytest
from numpy.typing import NDArray

from validator.proof import gpu_arithmetic as arithmetic

N = 64
KEYS = (1, 2, 3, 4, 5, 6)
Integers = NDArray[np.int64]


def matrices(seed: int = 0) -> tuple[Integers, Integers]:
    keys = [key + seed for key in KEYS]
    a = arithmetic.matrix_rows(0, N, depth=N, keys=keys[0:2]).astype(np.int64)
    b = arithmetic.matrix_rows(0, N, depth=N, keys=keys[2:4]).astype(np.int64)
    return a, b


def hankel(diagonals: Integers) -> Integers:
    return diagonals[np.add.outer(np.arange(N), np.arange(N))]


def by_shifting(a: Integers, b: Integers) -> Integers:
    """Return A B for Hankel matrices in n^2 steps; a, b: their 2 n - 1 diagonals."""
    left, right = hankel(a), hankel(b)
    product = np.empty((N, N), dtype=np.int64)
    product[0] = left[0] @ right
    product[:, 0] = left @ right[:, 0]
    for i in range(N - 1):
        leaving = a[i] * b[: N - 1]
        entering = a[i + N] * b[N : 2 * N - 1]
        product[i + 1, 1:] = product[i, :-1] - leaving + entering
    return product


def test_hankel_matrices_need_no_multiplication() -> None:
    """Why another subnet's proof is broken: its matrices are f(seed + i + j)."""
    source = np.random.default_rng(3)
    a, b = source.integers(-128, 128, (2, 2 * N))
    assert np.array_equal(by_shifting(a, b), hankel(a) @ hankel(b))


def test_ours_have_no_structure_to_shift() -> None:
    a, b = matrices()
    product = a @ b.T
    # The same steps, with the first and last columns as if they were diagonals.
    guessed = product[:-1, :-1] - np.outer(a[:-1, 0], b[:-1, 0]) + np.outer(a[1:, -1], b[1:, -1])
    assert np.mean(guessed == product[1:, 1:]) < 0.01


def test_our_matrices_have_full_rank_and_use_all_of_int8() -> None:
    a, _ = matrices()
    assert np.linalg.matrix_rank(a.astype(float)) == N
    wide = arithmetic.matrix_rows(0, 64, depth=1024, keys=(9, 8))
    assert set(np.unique(wide)) == set(range(-128, 128))


def linear_fold(entries: Integers, weights: Integers) -> int:
    return int((entries * weights[:, None] * weights[None, :]).sum())


def test_a_linear_fold_is_had_without_the_product() -> None:
    """sum(r_i C_ij r_j) = (r A)(r B): n^2 steps."""
    a, b = matrices()
    weights = np.random.default_rng(4).integers(-99, 99, N)
    assert linear_fold(a @ b.T, weights) == int((weights @ a) @ (weights @ b))


def our_fold(entries: Integers) -> int:
    places = np.arange(entries.size, dtype=np.uint32).reshape(entries.shape)
    folded = arithmetic.fold_entries(entries.astype(np.uint32), places, KEYS[4], KEYS[5])
    return int(folded.sum(dtype=np.uint64))


@pytest.mark.parametrize("seed", range(5))
def test_our_fold_of_a_sum_is_not_the_sum_of_folds(seed: int) -> None:
    """So nothing that is known of parts tells the fold of the whole."""
    a, b = matrices(seed)
    one, other = a[:, : N // 2] @ b[:, : N // 2].T, a[:, N // 2 :] @ b[:, N // 2 :].T
    nothing = our_fold(np.zeros_like(one))
    summed = (our_fold(one) + our_fold(other) - nothing) % (1 << 64)
    assert our_fold(one + other) != summed


def test_our_fold_changes_with_one_entry_one_place_and_each_key() -> None:
    a, b = matrices()
    product = a @ b.T
    changed = product.copy()
    changed[3, 5] += 1
    swapped = product.copy()
    swapped[0], swapped[1] = product[1], product[0]
    places = np.arange(product.size, dtype=np.uint32).reshape(product.shape)
    words = product.astype(np.uint32)
    folds = {
        our_fold(product),
        our_fold(changed),
        our_fold(swapped),
        int(arithmetic.fold_entries(words, places, 7, KEYS[5]).sum(dtype=np.uint64)),
        int(arithmetic.fold_entries(words, places, KEYS[4], 8).sum(dtype=np.uint64)),
    }
    assert len(folds) == 5
