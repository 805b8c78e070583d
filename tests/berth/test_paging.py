"""A long list is read to its end, and no longer than a marketplace may make it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from berth.client import Client
from berth.paging import PAGES_MAX

PAYMENT = {"amount_microusd": 1, "state": "paid", "created_at": "2026-01-01T00:00:00Z"}
PAPER = {"kind": "invoice", "about": "", "total_microusd": 1, "issued_at": "2026-01-01T00:00:00Z"}
VOLUME = {"name": "v", "size_bytes": 1, "machine_id": "m", "state": "ready", "in_use": False}
TEMPLATE = {"name": "t", "image": "debian:12"}
PAYOUTS = {
    "route": "bank", "next_at": "2026-01-01T00:00:00Z", "next_amount_microusd": 0,
    "obstacle": "little", "minimum_microusd": 1,
}  # fmt: skip
APPEAL = {"text": "I mended it.", "made_at": "2026-01-01T00:00:00Z"}
NOTICE = {"id": 1, "kind": "k", "at": "2026-01-01T00:00:00Z"}
PAYOUT = {"week": "2026-01-02", "amount_microusd": 1, "state": "paid"}
#: what each list is read by, what a row is and by which word it is told from others
READ: dict[str, tuple[Callable[[Client], Any], dict[str, object], str]] = {
    "/top-ups": (lambda one: one.cards.payments(), PAYMENT, "id"),
    "/invoices": (lambda one: one.papers.all(), PAPER, "number"),
    "/volumes": (lambda one: one.volumes(), VOLUME, "id"),
    "/templates": (lambda one: one.templates.all(), TEMPLATE, "reference"),
    "/host/payouts": (lambda one: one.hosting.payouts().items, PAYOUT, "id"),
    "/host/machines/m/appeals": (lambda one: one.standing.appeals("m"), APPEAL, "id"),
    "/notices": (lambda one: one.notices.all(), NOTICE, "title"),
    "/rentals/r/proofs": (lambda one: one.proofs.list("r"), {"state": "passed"}, "id"),
}


def client(path: str, pages: int, asked: list[str]) -> Client:
    """Return a client of a marketplace whose list has so many pages of two rows."""
    _, row, name = READ[path]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/api/v1{path}"
        asked.append(request.url.params.get("cursor", "0"))
        page = int(asked[-1])
        at = "2026-01-01T00:00:00Z"
        items = [{**row, "created_at": at, name: f"{page}-{one}"} for one in range(2)]
        following = str(page + 1) if page + 1 < pages else None
        told = {**PAYOUTS, "items": items, "next_cursor": following}
        return httpx.Response(200, content=json.dumps(told))

    return Client("http://berth.example", "brt_x", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("path", READ)
def test_every_page_is_read(path: str) -> None:
    read, _, name = READ[path]
    asked: list[str] = []
    with client(path, 3, asked) as berth:
        found = [getattr(one, name) for one in read(berth)]
    assert found == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    assert asked == ["0", "1", "2"]


def test_a_marketplace_that_never_ends_its_list_is_left() -> None:
    asked: list[str] = []
    with client("/volumes", 10 * PAGES_MAX, asked) as berth:
        assert len(berth.volumes()) == 2 * PAGES_MAX
    assert len(asked) == PAGES_MAX
