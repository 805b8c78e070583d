"""This will check how sizes, durations and money are typed and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 1 << 30),
        ("1G", 1 << 30),
        ("1g", 1 << 30),
        ("1GB", 10**9),
        ("512MiB", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("4096", 4096),
        ("4096B", 4096),
        (" 2 TiB ", 2 << 40),
    ],
)
def test_a_size_is_read_as_docker_and_si_write_it(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "0", "-1G", "1XB", "1e9", "1.0000001K", "9999PiB", "٣x"]
)
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(units.UnitMalformed, match=r"GiB|whole number"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("1h30m", 5400), ("2d", 172_800), ("45s", 45), ("1H", 3600)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "0m", "30m1h", "1.5h", "-1h", "367d", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(units.UnitMalformed, match=r"duration|between"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "microusd"), [("2.50", 2_500_000), ("$1", 1_000_000), ("0.000001", 1)]
)
def test_an_amount_is_read_exactly(text: str, microusd: int) -> None:
    assert units.parse_usd(text) == microusd
    assert units.parse_usd(text, microusd_min=0) == microusd


@pytest.mark.parametrize("text", ["0", "$0", "0.00", " 0 "])
def test_nothing_is_an_amount_where_it_may_be(text: str) -> None:
    assert units.parse_usd(text, microusd_min=0) == 0
    with pytest.raises(units.UnitMalformed, match=r"between \$0.000001 and"):
        units.parse_usd(text)


@pytest.mark.parametrize("text", ["", "0..0", "$$0", ".", "$", "0 $", "-1"])
def test_what_looks_like_nothing_is_no_amount(text: str) -> None:
    with pytest.raises(units.UnitMalformed, match="amount"):
        units.parse_usd(text, microusd_min=0)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "nan", "inf", "sNaN", "1e99", "0.0000001", "two", "1,5"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(units.UnitMalformed, match="amount"):
        units.parse_usd(text)


@given(st.integers(min_value=1, max_value=units.MICROUSD_MAX))
def test_money_survives_being_shown_and_typed_again(microusd: int) -> None:
    assert units.parse_usd(units.format_usd(microusd).replace(",", "")) == microusd


@given(st.text(max_size=12))
def test_no_text_breaks_a_parser_in_another_way(text: str) -> None:
    for parse in (units.parse_size, units.parse_duration, units.parse_usd):
        try:
            assert parse(text) > 0
        except units.UnitMalformed:
            continue


@pytest.mark.parametrize(
    ("microusd", "shown"),
    [(0, "$0.00"), (-13, "-$0.000013"), (1_230_000, "$1.23"), (1_234_500_000, "$1,234.50")],
)
def test_money_is_shown_in_dollars(microusd: int, shown: str) -> None:
    assert units.format_usd(microusd) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1 << 30, "1 GiB"), (3 << 29, "1.5 GiB"), (5 << 40, "5 TiB")]
)
def test_a_size_is_shown_short(size: int, shown: str) -> None:
    assert units.format_size(size) == shown


@pytest.mark.parametrize(
    ("ms", "shown"), [(0, "0.0 s"), (800, "0.8 s"), (125_000, "2 m 5 s"), (5_400_000, "1 h 30 m")]
)
def test_a_duration_is_shown_by_its_two_largest_parts(ms: int, shown: str) -> None:
    assert units.format_duration(ms) == shown
