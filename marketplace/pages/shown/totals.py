"""This will prepare the numbers of the market for the first page."""

from dataclasses import dataclass

from marketplace.domain.money import format_usd
from marketplace.offers.totals import Totals


@dataclass(frozen=True, slots=True)
class Number:
    label: str
    value: str


def numbers(totals: Totals) -> tuple[Number, ...]:
    """Return what there is; of GPUs where there are any, else of CPUs. Nothing: no numbers."""
    if not totals.machines:
        return ()
    kind, whole, free, price = (
        ("GPU", totals.gpus, totals.gpus_free, totals.gpu_hour_microusd)
        if totals.gpus
        else ("CPU", totals.cpus, totals.cpus_free, totals.cpu_hour_microusd)
    )
    return (
        Number("Verified machines", f"{totals.machines:,}"),
        Number(f"{kind}s free now", f"{free:,} of {whole:,}"),
        *([Number(f"A {kind}-hour from", format_usd(price))] if price is not None else []),
    )
