"""This will say how much of what was listed a proof in a rental shows, and what follows from it.

Decided in docs/decisions/0042-credit-for-under-delivery.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median_low

from marketplace.domain.idle import use_percent
from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.usage import Point
from protocol.validator import MeasuredLook, Measurement

#: less than this of a listed figure is less than what is paid for
ENOUGH_PPM = 900_000
#: less than this is a machine that failed; no proof gives more than the rest back
BROKEN_PPM = 500_000
#: so long before a proof it speaks for, and so long after it: what hosts earn is held for as long
SPEAKS_FOR = timedelta(days=7)
#: machines on which one renter's proofs may lower what is paid, within some time
MACHINES_MAX, MACHINES_WITHIN = 3, timedelta(days=30)
#: Whoever is root in a rental can make any figure lower, so it takes a validator's own look at what
#: is free of the machine to bear a proof out: of so long before it, or of SPEAKS_FOR after it.
SEEN_BEFORE = timedelta(days=1)
#: of what a renter was charged in a year, given back in that year for proofs that none bears out
BELIEVED_PPM, BELIEVED_WITHIN = 10_000, timedelta(days=365)
#: before a proof is asked for: its renter's own load would make figures lower
IDLE_FOR = timedelta(seconds=60)
IDLE_PERCENT = 10
#: of the six that a minute has
READINGS_MIN = 4


class Effect(StrEnum):
    """What a proof that passed means for what its rental costs."""

    ENOUGH = "enough"
    #: some card less than 90 %: the difference is given back, and the price is lower from then on
    LESS = "less"
    #: less than 50 %: half is given back, and the rental is stopped
    BROKEN = "broken"
    #: less, and its own load may be why, or nobody knows
    IN_USE = "in_use"
    #: nothing to hold it against was known when it was rented, or the proof did not measure it
    UNLISTED = "unlisted"
    #: less, on more machines than one renter is believed of
    TOO_MANY = "too_many"
    #: less, and its renter is its host
    OWN = "own"
    #: less, and no validator has measured the same where nobody rents it
    UNCONFIRMED = "unconfirmed"
    #: less, and a validator measured there what was listed
    DISPUTED = "disputed"


#: that say how much was delivered, so that the next one speaks for what comes after them
COUNTED = frozenset({Effect.ENOUGH, Effect.LESS, Effect.BROKEN})
#: that lower what is paid
LOWERING = frozenset({Effect.LESS, Effect.BROKEN})
#: that rest on the renter's word
DOUBTED = frozenset({Effect.UNCONFIRMED, Effect.DISPUTED})
SENTENCES = {
    Effect.ENOUGH: "It delivers what was listed.",
    Effect.LESS: "It delivers less than 90 % of what was listed: the difference is given back, and"
    " you pay for as much as it delivers from here on.",
    Effect.BROKEN: "It delivers less than half of what was listed, so something in it has failed:"
    " half is given back, and it was stopped with its files kept.",
    Effect.IN_USE: "The figures are below 90 % of what was listed, but its readings do not show it"
    " idle for a minute before, so your own load may be why. Stop what runs, wait a minute and"
    " prove it again.",
    Effect.UNLISTED: "There was no figure to hold this against when it was rented.",
    Effect.TOO_MANY: "The figures are below 90 % of what was listed, but your proofs have lowered"
    f" the price of {MACHINES_MAX} machines within {MACHINES_WITHIN.days} days; write to the"
    " operator.",
    Effect.OWN: "The figures are below 90 % of what was listed; it is your own machine.",
    Effect.UNCONFIRMED: "The figures are below 90 % of what was listed, and no validator has"
    " measured this part of the machine since. Stop or end the rental: if one finds less there too"
    f" within {SPEAKS_FOR.days} days, the whole difference comes back.",
    Effect.DISPUTED: "The figures are below 90 % of what was listed, but a validator measured what"
    " was listed there, so nothing comes back by itself; write to the operator.",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What validators measured of a machine, of the least of its cards. 0: nobody did."""

    #: of one CPU
    hash_rate: int = 0
    #: of one card, 10^6 bytes a second
    bandwidth_mb_s: int = 0
    #: of one card, 10^9 operations a second
    int8_gops: int = 0
    #: of one card, that were filled and read back
    vram_bytes_proven: int = 0

    def as_json(self) -> dict[str, int]:
        """Return the figures as a rental keeps them."""
        return asdict(self)


def listed(looks: Sequence[MeasuredLook]) -> Figures:
    """Return the middle one of each figure that the looks measured."""
    cards = [look.card for look in looks if look.card is not None]
    return Figures(
        hash_rate=_middle([look.hash_rate_per_cpu for look in looks]),
        bandwidth_mb_s=_middle([card.bandwidth_mb_s for card in cards]),
        int8_gops=_middle([card.int8_gops for card in cards]),
        vram_bytes_proven=_middle([card.vram_bytes for card in cards]),
    )


def delivered_ppm(
    known: Figures, measured: Measurement, *, gpu_uuids: Collection[str]
) -> int | None:
    """Return how much of the listed a rental delivers, in millionths; None: nobody can say.

    Each card counts alike, by the less of its two figures, and as the whole where that is at least
    90 %. A rental without a card counts by its CPUs.
    """
    if not gpu_uuids:
        rate = measured.cpu_hash_rate // measured.cpus if measured.cpus else 0
        return _credited(_share(rate, known.hash_rate))
    cards = {card.uuid: card for card in measured.gpus}
    if not set(gpu_uuids) <= cards.keys():
        return None
    total = 0
    for uuid in gpu_uuids:
        card = cards[uuid]
        bandwidth = _share(card.bandwidth_mb_s, known.bandwidth_mb_s)
        int8 = _share(card.int8_gops, known.int8_gops)
        if bandwidth is None or int8 is None:
            return None
        total += _credited(min(bandwidth, int8)) or 0
    return total // len(gpu_uuids)


def is_idle(points: Sequence[Point], *, asked_at: datetime, cpus: int, gpus: int) -> bool:
    """Say whether its readings show it idle for the minute before its proof was asked for."""
    minute = [one for one in points if asked_at - IDLE_FOR <= one.at <= asked_at]
    used = [use_percent(point, cpus=cpus, gpus=gpus) for point in minute]
    return len(used) >= READINGS_MIN and all(one is not None and one < IDLE_PERCENT for one in used)


def effect(
    ppm: int | None, *, is_own: bool, is_idle: bool, machines: int, outside_ppm: int | None
) -> Effect:
    """Return what a proof that shows so much means.

    ``machines``: others on which the renter's proofs showed less, lately. ``outside_ppm``: what a
    validator's own look showed of the same. None: there was none.
    """
    if ppm is None:
        return Effect.UNLISTED
    if ppm >= PPM:
        return Effect.ENOUGH
    if is_own:
        return Effect.OWN
    if not is_idle:
        return Effect.IN_USE
    if machines >= MACHINES_MAX:
        return Effect.TOO_MANY
    return borne_out(ppm, outside_ppm)


def borne_out(ppm: int, outside_ppm: int | None) -> Effect:
    """Return what a proof that shows too little means beside a validator's own look."""
    if outside_ppm is None:
        return Effect.UNCONFIRMED
    if outside_ppm >= PPM:
        return Effect.DISPUTED
    return Effect.LESS if max(ppm, outside_ppm) >= BROKEN_PPM else Effect.BROKEN


def believed(charged_microusd: int, given_microusd: int) -> MicroUsd:
    """Return how much more may be given back on a renter's word alone.

    ``charged_microusd``: what they were charged in a year. ``given_microusd``: what such proofs
    gave back in it.
    """
    return MicroUsd(max(0, charged_microusd * BELIEVED_PPM // PPM - given_microusd))


def credit(charged_microusd: int, *, paid_ppm: int, delivered_ppm: int) -> MicroUsd:
    """Return what is given back of a charge at a price for ``paid_ppm`` of the listed."""
    if delivered_ppm >= paid_ppm:
        return MicroUsd(0)
    return MicroUsd(charged_microusd * (paid_ppm - delivered_ppm) // paid_ppm)


def price(agreed_hour_microusd: int, delivered_ppm: int) -> int:
    """Return what an hour costs where so much of the listed is delivered."""
    return agreed_hour_microusd * delivered_ppm // PPM


def agreed(price_hour_microusd: int, delivered_ppm: int) -> int:
    """Return the price of an hour that ``price`` was made of, or a micro-USD less."""
    return -(-price_hour_microusd * PPM // delivered_ppm)


def _middle(figures: Sequence[int]) -> int:
    return median_low([one for one in figures if one] or [0])


def _share(measured: int, known: int) -> int | None:
    return measured * PPM // known if measured and known else None


def _credited(ppm: int | None) -> int | None:
    return PPM if ppm is not None and ppm >= ENOUGH_PPM else ppm
