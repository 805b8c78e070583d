"""What a rental used in a day is a table for people and figures for programs."""

from tests.berth.market import Market
from tests.berth.terminal import Terminal
from tests.berth.usage import METRICS


def test_a_day_of_a_rental_is_read_after_its_end_too(terminal: Terminal, market: Market) -> None:
    path = f"/rentals/{market.add_rental(state='ended', script=[])['id']}"
    market.told[("GET", f"{path}/metrics")] = METRICS
    rental_id = path.rpartition("/")[2]
    shown = terminal.berth("usage", rental_id, "--span", "day").out
    assert "0.50 (1.50)" in shown
    assert "40 % (93 %)" in shown
    assert market.seen[-1].query == {"span": "day"}
    told = terminal.berth("usage", rental_id, "--span", "month", "--json").json
    assert told["points"][0]["cpu_milli"] == {"mean": 500, "most": 1500}
    assert terminal.berth("usage", rental_id, "--span", "year").code == 2
    market.told[("GET", f"{path}/metrics")] = METRICS | {"points": []}
    assert "Nothing is known of it" in terminal.berth("usage", rental_id, "--span", "day").out
    market.rentals[rental_id]["ended_at"] = "2020-01-01T00:00:00Z"
    assert "kept any more" in terminal.berth("usage", rental_id, "--span", "day").out
