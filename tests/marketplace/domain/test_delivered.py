"""What a proof in a rental shows of what was listed, and what follows from it for money."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain import delivered
from marketplace.domain.delivered import BROKEN_PPM, Effect, Figures
from marketplace.domain.money import PPM
from marketplace.domain.usage import Point
from protocol.usage import GpuUsage
from protocol.validator import CardFigures, GpuMeasurement, MeasuredLook, Measurement

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LISTED = Figures(hash_rate=1_000_000, bandwidth_mb_s=2_000_000, int8_gops=600_000)


def look(rate: int = 0, *, bandwidth: int = 0) -> MeasuredLook:
    card = CardFigures(vram_bytes=1, bandwidth_mb_s=bandwidth, int8_gops=7) if bandwidth else None
    return MeasuredLook(
        verdict_sha256="ab" * 32, checked_at_ms=1, hash_rate_per_cpu=rate, card=card
    )


def card(uuid: str, *, bandwidth: int = 2_000_000, int8: int = 600_000) -> GpuMeasurement:
    return GpuMeasurement(
        index=0, uuid=uuid, name="H100", vram_bytes=1, vram_bytes_proven=1,
        bandwidth_mb_s=bandwidth, int8_gops=int8,
    )  # fmt: skip


def test_what_is_listed_is_the_middle_of_what_was_measured() -> None:
    looks = [look(5, bandwidth=30), look(9), look(7, bandwidth=10), look(0, bandwidth=20)]
    assert delivered.listed(looks) == Figures(
        hash_rate=7, bandwidth_mb_s=20, int8_gops=7, vram_bytes_proven=1
    )
    assert delivered.listed([]) == Figures()


@pytest.mark.parametrize(
    ("rate", "ppm"), [(2_000_000, PPM), (1_800_000, PPM), (1_799_998, 899_999), (0, None)]
)
def test_a_rental_without_a_card_counts_by_its_cpus(rate: int, ppm: int | None) -> None:
    measured = Measurement(cpus=2, cpu_hash_rate=rate)
    assert delivered.delivered_ppm(LISTED, measured, gpu_uuids=()) == ppm
    assert delivered.delivered_ppm(LISTED, Measurement(), gpu_uuids=()) is None
    assert delivered.delivered_ppm(Figures(), measured, gpu_uuids=()) is None


def test_each_card_counts_alike_by_the_less_of_its_figures() -> None:
    measured = Measurement(
        cpus=1,
        cpu_hash_rate=1,
        gpus=(card("a"), card("b", bandwidth=1_900_000), card("c", int8=300_000), card("d")),
    )
    # Three deliver what was listed, one a half of it: 3.5 of 4.
    assert delivered.delivered_ppm(LISTED, measured, gpu_uuids="abcd") == 875_000
    assert delivered.delivered_ppm(LISTED, measured, gpu_uuids="abd") == PPM
    assert delivered.delivered_ppm(LISTED, measured, gpu_uuids="c") == 500_000
    assert delivered.delivered_ppm(LISTED, measured, gpu_uuids="ae") is None
    only_cpus = Figures(hash_rate=1)
    assert delivered.delivered_ppm(only_cpus, measured, gpu_uuids="a") is None
    no_int8 = Figures(hash_rate=1, bandwidth_mb_s=1)
    assert delivered.delivered_ppm(no_int8, measured, gpu_uuids="a") is None


def point(second: int, *, milli: int | None = 0, busy: int | None = 0) -> Point:
    gpus = (GpuUsage(uuid="a", busy_percent=busy),)
    at = NOW + timedelta(seconds=second)
    return Point(at, milli, 0, None, None, None, None, gpus)


@pytest.mark.parametrize(
    ("points", "gpus", "idle"),
    [
        ([point(s) for s in range(-55, 0, 10)], 1, True),
        ([point(s, busy=9) for s in range(-60, 1, 20)], 1, True),
        ([point(s, busy=10 if s == -5 else 0) for s in range(-55, 0, 10)], 1, False),
        ([point(s, busy=None if s == -5 else 0) for s in range(-55, 0, 10)], 1, False),
        # What was before the minute, and comes after it, tells nothing.
        ([point(s, busy=99 if s < -60 or s > 0 else 0) for s in range(-95, 30, 10)], 1, True),
        ([point(s) for s in (-50, -30, -10)], 1, False),
        ([point(s, milli=399) for s in range(-55, 0, 10)], 0, True),
        ([point(s, milli=400) for s in range(-55, 0, 10)], 0, False),
    ],
)
def test_only_readings_show_it_idle(points: list[Point], gpus: int, idle: bool) -> None:
    assert delivered.is_idle(points, asked_at=NOW, cpus=4, gpus=gpus) == idle


@pytest.mark.parametrize(
    ("ppm", "own", "idle", "machines", "outside", "effect"),
    [
        (None, False, True, 0, 0, Effect.UNLISTED),
        # Its own load makes figures lower, never higher.
        (PPM, False, False, 9, 0, Effect.ENOUGH),
        (899_999, False, True, 2, 899_999, Effect.LESS),
        (BROKEN_PPM, False, True, 0, 0, Effect.LESS),
        (BROKEN_PPM - 1, False, True, 0, BROKEN_PPM - 1, Effect.BROKEN),
        # Where a validator found more than the proof, that counts.
        (0, False, True, 0, BROKEN_PPM, Effect.LESS),
        (0, False, True, 2, None, Effect.UNCONFIRMED),
        (899_999, False, True, 0, PPM, Effect.DISPUTED),
        (899_999, False, False, 0, 0, Effect.IN_USE),
        (0, False, True, 3, 0, Effect.TOO_MANY),
        (0, True, True, 0, 0, Effect.OWN),
    ],
)
def test_every_proof_has_one_effect(
    ppm: int | None, own: bool, idle: bool, machines: int, outside: int | None, effect: Effect
) -> None:
    found = delivered.effect(ppm, is_own=own, is_idle=idle, machines=machines, outside_ppm=outside)
    assert found == effect
    assert delivered.SENTENCES[found]


def test_on_a_renters_word_alone_comes_back_a_hundredth_of_a_years_charges() -> None:
    assert delivered.believed(10_000_000, 0) == 100_000
    assert delivered.believed(10_000_000, 60_000) == 40_000
    assert delivered.believed(10_000_000, 100_001) == 0


def test_the_difference_is_given_back_of_what_was_paid_for() -> None:
    assert delivered.credit(1_000_000, paid_ppm=PPM, delivered_ppm=700_000) == 300_000
    # 80 % was paid for already: 80 % - 60 % of 80 %.
    assert delivered.credit(800_000, paid_ppm=800_000, delivered_ppm=600_000) == 200_000
    assert delivered.credit(800_000, paid_ppm=800_000, delivered_ppm=800_000) == 0
    assert delivered.credit(800_000, paid_ppm=800_000, delivered_ppm=PPM) == 0


@given(
    st.integers(min_value=0, max_value=10**12),
    st.integers(min_value=BROKEN_PPM, max_value=PPM),
)
def test_a_price_comes_back_but_for_a_microdollar_and_never_rises(agreed: int, ppm: int) -> None:
    paid = delivered.price(agreed, ppm)
    assert 0 <= agreed - delivered.agreed(paid, ppm) <= 1
    assert paid <= agreed
    assert delivered.price(agreed, PPM) == delivered.agreed(agreed, PPM) == agreed
