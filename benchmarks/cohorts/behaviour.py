"""This will say how each kind of miner behaves, and what its hardware costs it.

The cost model, in USD for one H100 and hour: what the machine costs while it runs (a miner that
turns it off saves all of that, which no real one does), and the fees that the platform keeps of
what a miner pays itself or its friends pay it. Nobody puts up collateral.
"""

from dataclasses import dataclass

CARD = "NVIDIA H100 80GB HBM3"
CARDS = 8
#: what a card costs its miner in an hour, and what strangers pay for one. Our own guess, near the
#: prices that such cards had on open markets in 2026
HARDWARE_HOUR_USD = 1.60
PRICE_HOUR_USD = 2.20
#: the marketplace's default
FEE_PPM = 50_000
#: chances, at the start of an epoch, that a stranger takes a free card or leaves a taken one: a
#: card is rented three fifths of the time
TAKES, LEAVES = 0.15, 0.10


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one miner does with its machine, or says of it."""

    name: str
    #: cards that are really there
    owned: int = CARDS
    #: cards that the machine shows
    shown: int = CARDS
    #: the name that it shows them under
    model: str = CARD
    #: of one card's memory, bandwidth and speed, that one shown card really has
    part_ppm: int = 1_000_000
    #: of the memory that a name promises, that the machine tells of though it is not there
    tells_ppm: int = 1_000_000
    #: hours of a day in which it runs
    hours_up: int = 24
    #: what friends or the miner itself pay for all of it, USD per card and hour; None: strangers
    own_price_usd: float | None = None
    #: of the work of one look that it skips, in millionths
    skips_ppm: int = 0
    machines: int = 1


BEHAVIOURS = (
    Behaviour("Honest"),
    Behaviour("Lazy: off for ten hours a day", hours_up=14),
    Behaviour("Self-renting, at the least that counts in full", own_price_usd=0.66),
    Behaviour("Colluding: friends pay one cent an hour", own_price_usd=0.01),
    Behaviour("Dividing: two machines of four cards", shown=4, machines=2),
    Behaviour(
        "Splitting: four cards as eight nameless halves",
        owned=4,
        shown=8,
        model="Half card",
        part_ppm=500_000,
    ),
    Behaviour("Overclaiming GPUs: six shown as eight", owned=6, skips_ppm=250_000),
    Behaviour("Overclaiming VRAM: shown as H200", model="NVIDIA H200", tells_ppm=1_762_500),
)
