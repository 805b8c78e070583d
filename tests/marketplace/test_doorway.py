"""What nobody can mean stops at the API's doorway, with a problem in the one shape."""

import json
from typing import Any

import pytest
from django.test import Client

LOG_IN = {"email": "alice@example.com", "password": "wrong", "name": "t"}


def post(body: bytes) -> Any:
    client = Client(raise_request_exception=False)
    return client.post("/api/v1/auth/key", data=body, content_type="application/json")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (json.dumps(LOG_IN | {"email": "a\x00b"}).encode(), 400),
        (json.dumps(LOG_IN | {"\x00": 1}).encode(), 400),
        (json.dumps(LOG_IN | {"email": "\ud800"}).encode(), 422),
        (json.dumps(LOG_IN | {"name": 10**400}).encode(), 422),
        (b'{"email": 1' + b"0" * 5000 + b"}", 400),
        (b'"a', 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b"null", 400),
        (b"[null]", 400),
        (b'"text"', 400),
        (b" " * 3_000_000, 413),
    ],
    ids=[
        "NUL",
        "NUL name",
        "surrogate",
        "number",
        "long number",
        "cut",
        "bytes",
        "deep",
        "null",
        "list",
        "text",
        "large",
    ],
)
def test_a_strange_body_is_refused_in_one_sentence(body: bytes, status: int) -> None:
    reply = post(body)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) == {"status", "code", "detail"}


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["limit=\u00b2", "limit=%FF", "limit=1e400"])
def test_a_strange_query_is_refused_in_one_sentence(query: str) -> None:
    reply = Client(raise_request_exception=False).get(f"/api/v1/offers?{query}")
    assert reply.status_code in (400, 422)
    assert reply.json()["code"] == "invalid"
