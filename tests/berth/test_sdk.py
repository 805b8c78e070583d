"""The examples of docs/sdk.md run as they stand there."""

import re
from pathlib import Path

import pytest

import berth
from tests.berth.market import API_KEY, Market, offer
from tests.berth.server import Server

PAGE = Path(__file__).resolve().parents[2] / "docs/sdk.md"


def test_the_examples_rent_and_end(
    server: Server,
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BERTH_URL", server.url)
    monkeypatch.setenv("BERTH_API_KEY", API_KEY)
    # What is asked for is half of its memory, and a quarter of all else.
    market.offers = [offer("offer-a", 20_000, ram_bytes_free=2 << 30)]
    monkeypatch.setattr("time.sleep", lambda _: None)
    known: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    (rental,) = market.rentals.values()
    assert rental["state"] in ("ending", "ended")
    assert known["door"] is not None
    (rented,) = (one.body for one in market.seen if (one.method, one.path) == ("POST", "/rentals"))
    assert rented["price_hour_microusd_max"] == 40_000
    assert "not_found There is no such rental." in capsys.readouterr().out
    assert len(blocks) == 4


def test_what_the_page_names_is_there() -> None:
    client = berth.Client("http://127.0.0.1:1", "k")
    for name in re.findall(r"`client\.(\w+)`", PAGE.read_text(encoding="utf-8")):
        assert hasattr(client, name)
    client.close()
    assert all(hasattr(berth, name) for name in berth.__all__)
