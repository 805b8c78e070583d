"""Every page forbids foreign code; log lines carry ids."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client

from marketplace.security import SecurityHeaders


def test_a_page_allows_only_this_sites_own_code(client: Client, db: None) -> None:
    answer = client.get("/accounts/login/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_operators_log_in_where_guessing_is_limited(client: Client, db: None) -> None:
    answer = client.post("/admin/login/?next=/admin/", {"username": "a@b.example", "password": "x"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/login/?next=%2Fadmin%2F"


@pytest.mark.django_db(transaction=True)
async def test_the_headers_are_there_for_asynchronous_requests_too(
    async_client: AsyncClient,
) -> None:
    answer = await async_client.get("/accounts/login/")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_a_view_may_set_its_own_policy() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    answer = SecurityHeaders(view)(HttpRequest())
    assert isinstance(answer, HttpResponse)
    assert answer.headers["Content-Security-Policy"] == "sandbox"
