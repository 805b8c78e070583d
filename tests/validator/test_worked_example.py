"""The example that a person follows with a calculator is what the code computes."""

from pathlib import Path

from protocol.validator import CardFigures
from tests.validator.builders import EPOCH_MS, NOW_MS, epoch, look, record
from validator.domain.scoring import score

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verification.md"
HOUR_MS = 3_600_000


def test_the_worked_example_gives_what_the_page_says() -> None:
    card = CardFigures(vram_bytes=80 * 10**9, bandwidth_mb_s=3_015_000, int8_gops=1_165_000)
    machine = record(
        looks=(look().model_copy(update={"card": card}),),
        uptime_ppm=980_000,
        verified_for_ms=3 * 24 * HOUR_MS,
        paid_ms=5 * EPOCH_MS,
        fees_microusd=660_000,
        refused_at_ms=(NOW_MS + EPOCH_MS - 4 * HOUR_MS,),
    )
    (one,) = score(epoch(machine))
    page = PAGE.read_text()
    shown = {"capacity": "33", "efficiency": "0.9", "uptime": "0.6076", "organic": "0.625"}
    shown |= {"use": "0.8875", "refusal": "0.88"}
    for name, value in shown.items():
        assert one.factors_ppm[name] == float(value) * 1_000_000
        (line,) = [each for each in page.splitlines() if each.startswith(f"{name} ")]
        assert line.endswith(f" = {value}")
    assert one.points_micro == 14_093_707
    assert "= 14.093707" in page
