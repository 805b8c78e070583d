"""ComputeHorde's formula, to the last digit."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from protocol.workload import PlacementKind
from tests.validator.builders import EPOCH_MS, cpu_record, epoch, look, record, work
from validator.domain.job_points import ClassWork, job_points
from validator.domain.scoring import score

GOLDEN = json.loads((Path(__file__).parent / "golden" / "job_points.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["what"])
def test_points_are_relative_value_times_efficiency_times_worked_seconds(
    case: dict[str, Any],
) -> None:
    done = [
        ClassWork(Fraction(value), Fraction(efficiency), worked_ms)
        for value, efficiency, worked_ms in case["work"]
    ]
    assert job_points(done) == Fraction(case["points"])


def test_a_machine_whose_units_all_work_a_whole_epoch_makes_its_capacity() -> None:
    jobs = (work(1, gpus=3, worked_ms=EPOCH_MS), work(2, gpus=5, worked_ms=EPOCH_MS))
    (full,) = score(epoch(record(work=jobs)))
    assert full.jobs_micro == full.factors_ppm["capacity"] == 33_000_000


def test_half_of_the_time_on_one_of_eight_gpus_makes_a_sixteenth() -> None:
    (one,) = score(epoch(record(work=(work(gpus=1, worked_ms=EPOCH_MS // 2),))))
    assert one.jobs_micro == 33_000_000 // 16


def test_a_slow_machine_makes_less_of_the_same_seconds() -> None:
    job = work(worked_ms=EPOCH_MS)
    (slow,) = score(epoch(cpu_record(looks=(look(1_000_000),), work=(job,))))
    assert slow.factors_ppm["efficiency"] == 250_000
    assert slow.jobs_micro == slow.factors_ppm["capacity"] // 4


def test_rentals_are_no_jobs_and_jobs_add_nothing_to_points() -> None:
    rental = work(1, kind=PlacementKind.RENTAL, gpus=8, worked_ms=EPOCH_MS)
    (rented,) = score(epoch(record(work=(rental,))))
    (worked,) = score(epoch(record(work=(work(1, gpus=8, worked_ms=EPOCH_MS),))))
    assert rented.jobs_micro == 0 < worked.jobs_micro
    assert rented.points_micro == worked.points_micro


def test_a_record_of_no_length_counts_no_work() -> None:
    (none,) = score(epoch(record(epoch_ms=0, paid_ms=1, work=(work(worked_ms=1),))))
    assert (none.jobs_micro, none.factors_ppm["organic"]) == (0, 0)
