"""This will check a rental's receipts on this machine, trusting nobody but the machine's key."""

from dataclasses import dataclass

from pydantic import ValidationError

from berth.bills import Receipts
from berth.problem import Refused
from berth.shapes import Rental
from berth.units import format_usd
from protocol.receipts import BrokenChain, Interval, check_chain

MS_PER_HOUR = 3_600_000
#: why a price begins once a reservation that ended early has cost its whole term
WHOLE_TERM = "whole_term_paid"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the receipts prove."""

    machine_key: str
    #: whether the caller named this key; else the receipts alone say whose it is
    key_vouched: bool
    #: None: there is no interval yet
    placement_id: str | None
    intervals: int
    #: the time that the machine signed for, at most the time that the rental took
    proven_ms: int
    #: the time that was billed, never more than proven
    billed_ms: int
    cost_microusd: int


def read(content: bytes) -> Receipts:
    """Return the receipts inside a saved file.

    :raises Refused: ``receipts_malformed`` when it holds none.
    """
    try:
        return Receipts.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        sentence = f"This file holds no receipts ({where}: {first['msg']})."
        raise Refused("receipts_malformed", sentence) from error


class Check:
    """Checks receipts page by page, so that a month of them needs no more memory than a page."""

    def __init__(
        self,
        *,
        machine_key: str | None = None,
        placement_id: str | None = None,
        wall_ms: int | None = None,
    ) -> None:
        """Pin what the receipts must be of; None: the receipts say it themselves.

        ``machine_key``: the machine that must have signed. ``placement_id``: what the intervals
        must name. ``wall_ms``: how long the rental took, which is the most that can be billed.
        """
        self._machine_key = machine_key
        self._key_vouched = machine_key is not None
        self._placement_id = placement_id
        self._wall_ms = wall_ms
        self._first: Interval | None = None
        self._last: Interval | None = None
        self._intervals = 0
        self._proven_ms = 0
        self._newest: Receipts | None = None

    def add(self, page: Receipts) -> None:
        """Take in the next page.

        :raises Refused: ``receipts_broken`` when it does not continue one signed, gapless chain of
            that machine.
        """
        self._machine_key = self._machine_key or page.machine_key
        if page.machine_key != self._machine_key:
            raise Refused("receipts_broken", "The receipts are of another machine.")
        if any(one.interval.machine_key != self._machine_key for one in page.intervals):
            raise Refused("receipts_broken", "An interval was signed by another machine.")
        if any(not self._is_of_it(one.interval) for one in page.intervals):
            raise Refused("receipts_broken", "An interval is of another rental.")
        try:
            self._proven_ms += check_chain(page.intervals, after=self._last)
        except BrokenChain as error:
            raise Refused("receipts_broken", str(error)) from error
        if page.intervals:
            self._first = self._first or page.intervals[0].interval
            self._last = page.intervals[-1].interval
        self._intervals += len(page.intervals)
        self._newest = page

    def _is_of_it(self, interval: Interval) -> bool:
        return self._placement_id in (None, str(interval.placement_id))

    def proof(self) -> Proof:
        """Return what all pages prove together.

        :raises Refused: ``receipts_overbilled`` when more was billed than the machine signed for;
            ``receipts_miscounted`` when prices, times and charges do not go together.
        """
        billed_ms = self._newest.billed_ms if self._newest else 0
        if billed_ms > self._proven_ms:
            sentence = f"{billed_ms} ms were billed but only {self._proven_ms} ms are signed for."
            raise Refused("receipts_overbilled", sentence)
        if self._wall_ms is not None and billed_ms > self._wall_ms:
            sentence = f"{billed_ms} ms were billed but the rental took only {self._wall_ms} ms."
            raise Refused("receipts_overbilled", sentence)
        if self._newest is not None:
            check_prices(self._newest)
        return Proof(
            machine_key=self._machine_key or "",
            key_vouched=self._key_vouched,
            placement_id=str(self._first.placement_id) if self._first else None,
            intervals=self._intervals,
            proven_ms=(
                self._proven_ms if self._wall_ms is None else min(self._proven_ms, self._wall_ms)
            ),
            billed_ms=billed_ms,
            cost_microusd=self._newest.cost_microusd if self._newest else 0,
        )


def check_prices(page: Receipts) -> None:
    """Check that the billed time costs what it cost, by its prices and by its charges.

    :raises Refused: ``receipts_miscounted`` with what is wrong.
    """
    before_ms = 0
    ends = [*(one.reason for one in page.periods[1:]), ""]
    for number, (one, ends_as) in enumerate(zip(page.periods, ends, strict=False), 1):
        if one.from_ms != before_ms or one.ms < 0:
            raise _miscounted(f"Price {number} does not begin where the one before ends.")
        before_ms += one.ms
        cost = one.price_hour_microusd * one.ms // MS_PER_HOUR
        # The end of a reservation costs no more than its whole term did.
        within = 0 <= one.cost_microusd <= cost if ends_as == WHOLE_TERM else False
        if one.cost_microusd != cost and not within:
            raise _miscounted(
                f"{one.ms} ms at {format_usd(one.price_hour_microusd)} an hour cost"
                f" {format_usd(cost)}, not {format_usd(one.cost_microusd)}."
            )
    if before_ms != page.billed_ms:
        raise _miscounted(f"The prices are of {before_ms} ms but {page.billed_ms} ms were billed.")
    sums = {
        "The prices": sum(one.cost_microusd for one in page.periods),
        "The charges": sum(one.amount_microusd for one in page.charges),
    }
    for what, together in sums.items():
        if together != page.cost_microusd:
            cost_usd, sum_usd = format_usd(page.cost_microusd), format_usd(together)
            raise _miscounted(f"{what} add up to {sum_usd}, not to the cost of {cost_usd}.")
    days = [one.day for one in page.charges]
    if days != sorted(set(days)) or any(one.amount_microusd <= 0 for one in page.charges):
        raise _miscounted("The charges are not one of each day, in order.")


def _miscounted(sentence: str) -> Refused:
    return Refused("receipts_miscounted", sentence)


def wall_ms(rental: Rental) -> int | None:
    """Return how long the rental took, or takes at most; None: it does not say.

    By the marketplace's clock alone: this computer's may be wrong.
    """
    ends = [end for end in (rental.ended_at, rental.ends_at) if end is not None]
    if rental.started_at is None or not ends:
        return None
    return max(0, int((min(ends) - rental.started_at).total_seconds() * 1000))


def check(receipts: Receipts, *, machine_key: str | None = None) -> Proof:
    """Return what receipts that are whole prove; ``machine_key`` as in ``Check``.

    :raises Refused: as ``Check`` does.
    """
    whole = Check(machine_key=machine_key)
    whole.add(receipts)
    return whole.proof()
