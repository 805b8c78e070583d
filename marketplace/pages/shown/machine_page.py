"""This will prepare the page that anyone sees of a machine: what was measured, as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.domain import country
from marketplace.domain.money import PPM, format_usd
from marketplace.domain.standing import MEANING, StandingState
from marketplace.offers.machine_record import DayThere, Looked, MachineFacts, Scored
from marketplace.offers.queries import OfferRow
from marketplace.pages import wording
from marketplace.pages.shown import picture, verification
from marketplace.pages.shown.machine import FACTORS, STATES
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.picture import Picture, Shape

#: a day of which less was missing is shown as good
GOOD_PPM, FAIR_PPM = 999_000, 950_000
#: looks that stand in the table below their picture
LOOKS_LISTED = 12
#: of the strip of start times, at least
STARTS_MS_MIN = 10_000
#: the most that each factor but capacity can be, in millionths
MOST = {"efficiency": 1_500_000}
STRIP, STRIP_STEP = 16, 30


@dataclass(frozen=True, slots=True)
class Fact:
    """One part of the hardware: what the machine says, and what validators found."""

    part: str
    said: str
    measured: str


@dataclass(frozen=True, slots=True)
class Factor:
    label: str
    meaning: str
    value: str


@dataclass(frozen=True, slots=True)
class Price:
    price: str
    unit: str
    #: what else it costs or bounds
    more: tuple[str, ...]
    free: str
    #: empty: nobody may rent it now
    rent_url: str


@dataclass(frozen=True, slots=True)
class MachinePage:
    title: str
    short_id: str
    state: str
    tone: str
    presence: str
    presence_tone: str
    meaning: str
    reasons: tuple[str, ...]
    since: Moment
    proven: Moment
    hardware: tuple[Fact, ...]
    uptime: str
    there: Picture
    looks: Picture | None
    #: None: none began there lately, or it is not for rent to whoever asks
    starts: Picture | None
    starts_words: str
    score: str
    epoch: int | None
    epoch_url: str
    factors: tuple[Factor, ...]
    factors_picture: Picture | None
    scores: Picture | None
    price: Price | None
    verification_url: str
    json_url: str


def page(facts: MachineFacts, now: datetime) -> MachinePage:
    """Return the page."""
    machine, standing, score = facts.machine, facts.standing, facts.score
    state, tone = STATES[standing.state]
    return MachinePage(
        title=title(facts),
        short_id=str(machine.id)[:8],
        state=state,
        tone=tone,
        presence="Online" if machine.online else "Offline",
        presence_tone="good" if machine.online else "bad",
        meaning=MEANING[standing.state].sentence,
        reasons=tuple(reason.message for reason in standing.reasons),
        since=Moment.of(standing.since),
        proven=Moment.of(standing.proven_at),
        hardware=_hardware(facts),
        uptime=f"{facts.uptime_ppm / 10_000:.2f} %",
        there=_there(facts.days),
        looks=_looks(facts.looks, facts.days, now),
        starts=_starts(facts.offer),
        starts_words=_starts_words(facts.offer),
        score="–" if score is None else wording.points(score.points_micro),
        epoch=None if score is None else score.epoch,
        epoch_url="" if score is None else f"/scores/{score.epoch}/",
        factors=() if score is None else factors(score.factors_ppm),
        factors_picture=None if score is None else factors_picture(score.factors_ppm),
        scores=scores_picture(facts.scores),
        price=None if facts.offer is None else _price(facts.offer),
        verification_url=f"/machines/{machine.id}/verification/",
        json_url=f"/api/v1/machines/{machine.id}",
    )


def title(facts: MachineFacts) -> str:
    """Return what a person calls the machine: ``2 × NVIDIA H100``, ``8-CPU machine``."""
    machine = facts.machine
    if machine.gpus_total:
        return f"{machine.gpus_total} × {machine.gpu_model}"
    return f"{machine.cpus_total}-CPU machine"


def factors(ppm_by_name: dict[str, int]) -> tuple[Factor, ...]:
    """Return each factor of a score in words; their product is the score."""
    return tuple(
        Factor(*FACTORS[name], _factor(name, ppm_by_name[name]))
        for name in FACTORS
        if name in ppm_by_name
    )


def factors_picture(ppm_by_name: dict[str, int]) -> Picture | None:
    """Return a bar for each factor that takes points off or adds some. None: there is none."""
    names = [name for name in FACTORS if name != "capacity" and name in ppm_by_name]
    if not names:
        return None
    shapes: list[Shape] = []
    rows = []
    for number, name in enumerate(names):
        ppm, label = ppm_by_name[name], FACTORS[name][0]
        rows.append((label, _factor(name, ppm), _factor(name, MOST.get(name, PPM))))
        shapes += picture.strip(
            ppm * PPM // MOST.get(name, PPM),
            "main",
            f"{label}: {_factor(name, ppm)}",
            y=number * STRIP_STEP,
            height=STRIP,
        )
    lowest = min(names, key=lambda name: ppm_by_name[name])
    most = f" {FACTORS[lowest][0]} takes most off." if ppm_by_name[lowest] < PPM else ""
    return Picture(
        name="factors",
        title="Factors of the score",
        words="From top to bottom: "
        + ", ".join(f"{label} {value}" for label, value, _ in rows)
        + f".{most}",
        width=picture.WIDTH,
        height=STRIP_STEP * (len(names) - 1) + STRIP,
        shapes=tuple(shapes),
        heads=("Factor", "Now", "At most"),
        rows=tuple(rows),
    )


def scores_picture(scores: Sequence[Scored]) -> Picture | None:
    """Return a column for each epoch's points, the best as high as the picture. None: too few."""
    if len(scores) < 2:
        return None
    best = max(one.points_micro for one in scores) or 1
    told = [
        (one, f"Epoch {one.epoch}: {wording.points(one.points_micro)} points") for one in scores
    ]
    return Picture(
        name="scores",
        title="Points by epoch",
        words=f"Points of {len(scores)} epochs; the best had {wording.points(best)}, "
        f"the newest {wording.points(scores[-1].points_micro)}.",
        width=picture.columns_width(len(scores)),
        height=picture.HEIGHT,
        shapes=picture.columns(
            [(one.points_micro * PPM // best, "main", words) for one, words in told]
        ),
        first=f"Epoch {scores[0].epoch}",
        last=f"Epoch {scores[-1].epoch}",
        heads=("Epoch", "Points"),
        rows=tuple((str(one.epoch), wording.points(one.points_micro)) for one in scores[::-1]),
    )


def _hardware(facts: MachineFacts) -> tuple[Fact, ...]:
    machine, found = facts.machine, facts.figures
    gpus = ""
    if found.int8_gops:
        filled = wording.size(found.vram_bytes_proven)
        gpus = (
            f"{found.int8_gops // 1000:,} TOPS (int8), {found.bandwidth_mb_s // 1000:,} GB/s,"
            f" {filled} filled"
        )
    cpus = f"{wording.rate(found.hash_rate)} PBKDF2 each" if found.hash_rate else ""
    measured = facts.measured
    rows = (
        Fact(
            "GPUs",
            f"{machine.gpus_total} × {machine.gpu_model}, {wording.size(machine.vram_bytes)} each",
            gpus + (" each" if gpus else ""),
        )
        if machine.gpus_total
        else None,
        Fact("CPUs", f"{machine.cpus_total} × {machine.cpu_model or 'unnamed'}", cpus),
        Fact("RAM", wording.size(machine.memory_bytes_total), _memory(facts)),
        Fact(
            "Disk",
            wording.size(machine.disk_bytes_total),
            next(filter(None, map(verification.disk, measured)), ""),
        ),
        *_where(facts.offer),
        Fact("Line", "", next(filter(None, map(verification.line, measured)), "")),
    )
    return tuple(row for row in rows if row is not None and (row.said or row.measured))


def _where(offer: OfferRow | None) -> tuple[Fact, ...]:
    if offer is None or not offer.country:
        return ()
    return (Fact("Where", f"{country.written(offer.country)}, its host says", "nobody checks it"),)


def _memory(facts: MachineFacts) -> str:
    looks = (signed.verdict.measurement for signed in facts.measured)
    proven = [look.memory_bytes_proven for look in looks if look and look.memory_bytes_proven]
    return f"{wording.size(proven[0])} filled and read back" if proven else ""


def _there(days: Sequence[DayThere]) -> Picture:
    known = [(one, one.up_ppm) for one in days if one.up_ppm is not None]
    lacking = [one for one, ppm in known if ppm < GOOD_PPM]
    words = f"Of {wording.count(len(known), 'day')}, " + (
        f"{len(lacking)} with some time missing." if lacking else "none had time missing."
    )
    return Picture(
        name="uptime",
        title="Time there, day by day",
        words=words,
        width=picture.columns_width(len(days)),
        height=picture.HEIGHT,
        shapes=picture.columns([(one.up_ppm, _tone(one.up_ppm), _on(one)) for one in days]),
        first=picture.day(days[0].day),
        last=picture.day(days[-1].day),
        heads=("Day (UTC)", "There"),
        rows=tuple((picture.day(one.day), f"{ppm / 10_000:.2f} %") for one, ppm in known[::-1]),
    )


def _on(one: DayThere) -> str:
    share = "not here yet" if one.up_ppm is None else f"{one.up_ppm / 10_000:.2f} %"
    return f"{picture.day(one.day)}: {share}"


def _tone(up_ppm: int | None) -> str:
    if up_ppm is None:
        return "idle"
    return "good" if up_ppm >= GOOD_PPM else "warn" if up_ppm >= FAIR_PPM else "bad"


def _looks(looks: Sequence[Looked], days: Sequence[DayThere], now: datetime) -> Picture | None:
    if not looks:
        return None
    since = min(looks[0].at, now.replace(hour=0, minute=0, second=0, microsecond=0))
    since = min(since, datetime.combine(days[0].day, since.timetz()))
    told = [(one, *STATES[StandingState(one.state.value)]) for one in looks]
    good = sum(tone == "good" for _, _, tone in told)
    return Picture(
        name="looks",
        title="Looks of validators",
        words=f"{good} of {wording.count(len(looks), 'look')} in 30 days ended well. "
        "The taller a line, the better the verdict.",
        width=picture.WIDTH,
        height=picture.HEIGHT,
        shapes=picture.ticks(
            [
                (one.at, tone, f"{wording.moment(one.at)}: {state}, {verification.LOOKS[one.look]}")
                for one, state, tone in told
            ],
            since=since,
            until=now,
        ),
        first=picture.day(since.date()),
        last=picture.day(now.date()),
        heads=("Looked", "Verdict", "After", "Validator"),
        rows=tuple(
            (wording.moment(one.at), state, verification.LOOKS[one.look], one.validator)
            for one, state, _ in told[: -LOOKS_LISTED - 1 : -1]
        ),
    )


def _starts(offer: OfferRow | None) -> Picture | None:
    if offer is None or offer.start_p50_ms is None or offer.start_p95_ms is None:
        return None
    whole = max(STARTS_MS_MIN, offer.start_p95_ms)
    p50, p95 = wording.seconds(offer.start_p50_ms), wording.seconds(offer.start_p95_ms)
    all_of_them = offer.starts + offer.starts_failed
    success = f"{offer.starts} of {all_of_them}"
    rows = (("Half within", p50), ("95 % within", p95), ("Came up", success))
    shapes = [
        *picture.strip(offer.start_p50_ms * PPM // whole, "main", f"Half within {p50}"),
        *picture.strip(
            offer.start_p95_ms * PPM // whole, "soft", f"95 % within {p95}", y=STRIP_STEP
        ),
        *picture.strip(
            offer.starts * PPM // all_of_them, "good", f"Came up: {success}", y=2 * STRIP_STEP
        ),
    ]
    return Picture(
        name="starts",
        title="From order to SSH",
        words=f"From top to bottom: half of the rentals answered within {p50}, 95 % within {p95}; "
        f"{success} came up.",
        width=picture.WIDTH,
        height=2 * STRIP_STEP + STRIP,
        shapes=tuple(shapes),
        first="0 s",
        last=wording.seconds(whole),
        heads=("Rentals of 30 days", "Value"),
        rows=rows,
    )


def _starts_words(offer: OfferRow | None) -> str:
    if offer is None:
        return "Shown while the machine is for rent."
    if offer.starts_failed:
        return f"None of {wording.count(offer.starts_failed, 'rental')} came up in 30 days."
    return "No rental began here in 30 days."


def _price(offer: OfferRow) -> Price:
    more = [f"{wording.duration(offer.longest_term_s * 1000)} at most"]
    if offer.bid_floor_microusd is not None:
        more.append(f"bids from {format_usd(offer.bid_floor_microusd)}")
    more += [f"{one.days} days: {wording.percent(one.discount_ppm)} off" for one in offer.discounts]
    if offer.storage_price_microusd:
        more.append(f"{format_usd(offer.storage_price_microusd)} a GB and 30 days while stopped")
    if offer.network_price_microusd:
        more.append(f"{format_usd(offer.network_price_microusd)} a GB of traffic")
    free, of = (offer.gpus_free, "GPU") if offer.gpus else (offer.cpus_free, "CPU")
    return Price(
        price=format_usd(offer.price_hour_microusd),
        unit="per GPU-hour" if offer.gpus else "per CPU-hour",
        more=tuple(more),
        free=f"{free} of {wording.count(offer.gpus or offer.cpus, of)} free now",
        rent_url=f"/offers/{offer.id}/rent" if offer.verified and offer.online else "",
    )


def _factor(name: str, ppm: int) -> str:
    return wording.points(ppm) if name == "capacity" else f"{ppm / 10_000:.3g} %"
