"""This will measure the offer page with fifty rows, against Jinja2 and SQL written by hand.

Run it with ``python -m benchmarks.page --offers 100000 --pages 40 --rounds 5``. Ours is the whole
request: middleware, form, search, models, wording and templates. The floor asks PostgreSQL
for the same rows, words them with the same functions, and puts them through the very template of
the rows by Jinja2 into a frame that is there already. Both must say the same, and run in turns;
what counts is the processor time of the process, without the database's.
"""

import argparse
import gzip
import html
import json
import re
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import psycopg
from psycopg.rows import namedtuple_row

from benchmarks.cloning import database
from benchmarks.search import fill

ROWS = 50
SEARCH = "/offers/"
TEMPLATES = Path(__file__).parent.parent / "templates" / "offers"
FLOOR = """
SELECT o.id, o.machine_id, o.price_hour_microusd, o.away_ppm, o.longest_term_s, o.int8_gops,
    o.bandwidth_mb_s, o.vram_bytes_proven, o.value_microusd, o.start_p50_ms, o.start_p95_ms,
    o.starts, o.starts_failed,
    m.gpu_model, m.vram_bytes, m.cpu_model, m.gpus_total, m.gpus_free, m.cpus_total, m.cpus_free,
    m.memory_bytes_free, m.disk_bytes_free
FROM offers_offer o JOIN machines_machine m ON m.id = o.machine_id
WHERE o.listed AND NOT o.private AND m.online AND o.verified_until > %(now)s
    AND o.has_room
    AND (o.ends_at IS NULL OR o.ends_at > %(now)s)
    AND (o.maintenance_from IS NULL OR o.maintenance_from > %(now)s
        OR o.maintenance_until <= %(now)s)
ORDER BY o.price_hour_microusd, o.id LIMIT %(rows)s
"""


def main() -> None:
    """Print milliseconds of processor time for a page, their ratio and its weight, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--offers", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=40, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database() as url:
        fill(options.offers)
        _furnish()
        print(json.dumps(_measure(url, options.pages, options.rounds), indent=2))


def _furnish() -> None:
    """Have every machine measured, and some rentals begun on each."""
    from django.db.models import F

    from marketplace.offers.models import Offer

    Offer.objects.update(
        price_gpu_hour_microusd=F("price_hour_microusd"),
        int8_gops=624_000, bandwidth_mb_s=2_039_000, value_microusd=1_234_500,
        vram_bytes_proven=F("vram_bytes"),
        start_p50_ms=2_100, start_p95_ms=4_900, starts=41, starts_failed=1,
        verified_until=datetime.now(tz=UTC) + timedelta(days=1),
    )  # fmt: skip


def _measure(url: str, pages: int, rounds: int) -> dict[str, Any]:
    from django.test import Client

    from marketplace.pages.forms import search

    search.ROWS = ROWS
    browser = Client(headers={"host": "127.0.0.1"})
    whole = browser.get(SEARCH).content.decode()
    begin, end = whole.index("<tbody>"), whole.index("</table>")
    floor = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(TEMPLATES))
    rows = floor.get_template("_rows.html")
    more = re.search(r'hx-get="([^"]+cursor[^"]+)"', whole)
    assert more is not None
    frame = {"before": whole[:begin], "after": whole[end:], "more_url": html.unescape(more[1])}
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as connection:
        pairs = zip(_said(whole), _said(_floor(connection, rows, frame)), strict=True)
        differs = [pair for pair in pairs if pair[0] != pair[1]]
        assert not differs, differs[:3]
        assert whole.count('<td class="title">') == ROWS
        took: dict[str, list[float]] = {"ours": [], "floor": []}
        for number in range(rounds):
            for name in ("ours", "floor") if number % 2 else ("floor", "ours"):
                began = time.process_time()
                for _ in range(pages):
                    if name == "ours":
                        browser.get(SEARCH)
                    else:
                        _floor(connection, rows, frame)
                took[name].append((time.process_time() - began) / pages * 1000)
    ratios = [ours / floor for ours, floor in zip(took["ours"], took["floor"], strict=True)]
    found: dict[str, Any] = {"rows": ROWS, "pages": pages, "rounds": rounds}
    for name, some in took.items():
        found[f"{name}_ms"] = _spread(some)
    return found | {"ratio": _spread(ratios), "packed_bytes": len(gzip.compress(whole.encode()))}


def _spread(some: list[float]) -> list[float]:
    return [round(one, 2) for one in (statistics.median(some), min(some), max(some))]


def _floor(connection: Any, template: jinja2.Template, frame: dict[str, str]) -> str:
    values = {"now": datetime.now(tz=UTC), "rows": ROWS}
    rows = [_worded(one) for one in connection.execute(FLOOR, values).fetchall()]
    more_url = frame["more_url"]
    return frame["before"] + template.render(rows=rows, more_url=more_url) + frame["after"]


def _worded(one: Any) -> dict[str, str]:
    from marketplace.domain.money import format_usd
    from marketplace.pages.wording import count, duration, seconds, size

    each = " each" if one.gpus_total > 1 else ""
    worth = format_usd(one.value_microusd // 100 * 100)
    came_up = f"{one.starts} of {one.starts + one.starts_failed} came up"
    memory, disk = size(one.memory_bytes_free), size(one.disk_bytes_free)
    return {
        "machine_url": f"/machines/{one.machine_id}/",
        "title": f"{one.gpus_total} × {one.gpu_model}",
        "subtitle": (
            f"{size(one.vram_bytes)} VRAM each ({size(one.vram_bytes_proven)} filled),"
            f" {one.cpu_model}"
        ),
        "free": f"{one.gpus_free} of {count(one.gpus_total, 'GPU')}",
        "free_more": f"{count(one.cpus_free, 'CPU')}, {memory} RAM, {disk} disk",
        "check": "Verified",
        "check_tone": "good",
        "verification_url": f"/machines/{one.machine_id}/verification/",
        "reliability": f"{(1_000_000 - one.away_ppm) / 10_000:.2f} % of 30 days there",
        "measured": f"{one.int8_gops // 1000:,} TOPS{each}",
        "measured_what": f"{one.bandwidth_mb_s // 1000:,} GB/s, {worth} per 1,000 TOPS",
        "starts": seconds(one.start_p50_ms),
        "starts_more": f"95 % in {seconds(one.start_p95_ms)}, {came_up}",
        "price": format_usd(one.price_hour_microusd),
        "price_unit": "per GPU-hour",
        "longest": duration(one.longest_term_s * 1000),
        "rent_url": f"/offers/{one.id}/rent",
    }


def _said(page: str) -> list[str]:
    """Return the page's tags and words, however they are spaced and escaped."""
    return html.unescape(page).split()


if __name__ == "__main__":
    main()
