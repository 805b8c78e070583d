"""Which CUDA a driver runs."""

import pytest

from marketplace.domain.cuda import newest_cuda, written


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("550.54.15", "12.4"),
        ("535.183.01", "12.2"),
        ("570.86.10", "12.8"),
        ("572.16", "12.8"),
        ("580", "13.0"),
        ("999.1", "13.1"),
        ("450.80.02", "11.0"),
    ],
)
def test_a_driver_runs_what_it_came_with(driver: str, cuda: str) -> None:
    assert written(newest_cuda(driver)) == cuda


@pytest.mark.parametrize("driver", ["", "440.33", "abc", "55", "5500.1"])
def test_of_any_other_driver_nothing_is_known(driver: str) -> None:
    assert newest_cuda(driver) == 0
