"""This will read a long list of the marketplace page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from berth.exchange import Call, Exchange

#: that one listing reads at most
PAGES_MAX = 200


def pages(
    exchange: Exchange, path: str, params: Mapping[str, str | int] | None = None
) -> Iterator[Any]:
    """Yield each page as it was answered; ``next_cursor`` of one leads to the next."""
    asked = dict(params or {})
    for _ in range(PAGES_MAX):
        answer = exchange.send(Call("GET", path, params=asked, repeatable=True))
        yield answer
        cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
        if not cursor:
            return
        asked["cursor"] = str(cursor)
