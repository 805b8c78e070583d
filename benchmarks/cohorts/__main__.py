"""This will print what each miner earned and write the plot: python -m benchmarks.cohorts."""

import argparse
from pathlib import Path

from benchmarks.cohorts.behaviour import BEHAVIOURS
from benchmarks.cohorts.market import play
from benchmarks.cohorts.plot import svg

PLOT = Path(__file__).resolve().parents[2] / "docs" / "images" / "cohorts.svg"


def main() -> None:
    """Play one market."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"the plot to {PLOT.name}; seed 1")
    asked = parser.parse_args()
    accounts = play(BEHAVIOURS, seed=1 if asked.write else asked.seed)
    print("earned / cost   emission       rent   hardware   fees   USD over 30 days")
    for name, one in accounts.items():
        print(
            f"{one.per_cost:13.3f} {one.emission:10.0f} {one.rent:10.0f} {one.hardware:10.0f}"
            f" {one.fees:6.0f}   {name}"
        )
    if asked.write:
        PLOT.write_text(svg({name: one.daily for name, one in accounts.items()}))


if __name__ == "__main__":
    main()
