"""This will prepare a rental's newest proof for its page: what was shown, beside what is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marketplace.domain.delivered import Figures
from marketplace.domain.money import format_usd
from marketplace.domain.rental_proof import ProofState
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment
from marketplace.rentals.proof_queries import ProofView
from marketplace.rentals.rental_view import RentalView
from protocol.validator import Measurement

LABELS = {
    ProofState.ASKED: ("Waiting for a validator", "busy"),
    ProofState.RUNNING: ("A validator measures", "busy"),
    ProofState.PASSED: ("Passed", "good"),
    ProofState.FAILED: ("Failed", "bad"),
    ProofState.UNFINISHED: ("Not finished", "idle"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    shown: str
    #: what was rented, or what validators measured of the machine; empty: nothing is known
    known: str


@dataclass(frozen=True, slots=True)
class ProofCard:
    #: what a person types
    command: str
    #: empty: there was no proof yet
    label: str = ""
    tone: str = ""
    detail: str = ""
    #: None: nobody asked yet
    asked: Moment | None = None
    figures: tuple[Figure, ...] = ()
    #: ss58 of who led it; empty: nobody
    validator: str = ""
    #: what follows from it for the price; empty: nothing yet
    became: str = ""


def card(rental: RentalView, proofs: Sequence[ProofView], *, listed: Figures) -> ProofCard:
    """Return the card; ``listed``: what validators had measured of its machine at its start."""
    command = f"berth prove {str(rental.id)[:8]}"
    if not proofs:
        return ProofCard(command)
    newest = proofs[0]
    label, tone = LABELS[newest.state]
    found = newest.measurement
    return ProofCard(
        command=command,
        label=label,
        tone=tone,
        detail=newest.detail,
        asked=Moment.of(newest.asked_at),
        figures=() if found is None else tuple(_figures(rental, found, listed)),
        became=_became(newest),
        validator=newest.validator,
    )


def _became(proof: ProofView) -> str:
    back = proof.returned_microusd
    return f"{proof.sentence} {f'{format_usd(back)} came back.' if back else ''}".strip()


def _figures(rental: RentalView, found: Measurement, listed: Figures) -> Iterator[Figure]:
    if found.cpus:
        yield Figure("CPUs", str(found.cpus), f"{rental.cpus} rented")
        known = f"{wording.rate(listed.hash_rate)} listed" if listed.hash_rate else ""
        yield Figure("Hashes of a CPU", wording.rate(found.cpu_hash_rate // found.cpus), known)
        filled = wording.size(found.memory_bytes_proven)
        yield Figure("Memory filled", filled, f"{wording.size(rental.ram_bytes)} rented")
    for gpu in found.gpus:
        filled = wording.size(gpu.vram_bytes_proven)
        yield Figure(f"{gpu.name}, memory filled", filled, f"{wording.size(gpu.vram_bytes)} told")
        bandwidth, int8 = listed.bandwidth_mb_s // 1000, listed.int8_gops // 1000
        known = f"{bandwidth} GB/s listed" if bandwidth else ""
        yield Figure(f"{gpu.name}, memory", f"{gpu.bandwidth_mb_s // 1000} GB/s", known)
        known = f"{int8} TOPS listed" if int8 else ""
        yield Figure(f"{gpu.name}, int8", f"{gpu.int8_gops // 1000} TOPS", known)
