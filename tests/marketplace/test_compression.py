"""Pages and files travel packed, and what is told as it happens is not held back."""

import gzip
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from marketplace.compression import Compression

TAKES = {"Accept-Encoding": "gzip"}
SCRIPT = "/static/vendor/htmx/htmx.min.js"


@pytest.mark.django_db
def test_a_page_and_a_file_come_packed_to_whoever_takes_it(client: Client) -> None:
    for address in ("/accounts/login/", SCRIPT):
        plain, packed = client.get(address), client.get(address, headers=TAKES)
        whole = b"".join(plain) if plain.streaming else plain.content
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert len(packed.content) < len(whole) / 2
        assert packed.headers["Content-Length"] == str(len(packed.content))
    assert gzip.decompress(packed.content) == whole


@pytest.mark.django_db
def test_a_site_that_listed_its_files_as_it_began_serves_them(settings: Settings) -> None:
    settings.WHITENOISE_AUTOREFRESH = False
    client = Client()
    reply = client.get(SCRIPT)
    assert reply.status_code == 200
    assert b"htmx" in b"".join(reply)
    assert client.get("/static/vendor/htmx/nothing.js").status_code == 404


@pytest.mark.django_db
def test_a_part_of_a_file_stays_what_it_is(client: Client) -> None:
    reply = client.get(SCRIPT, headers={**TAKES, "Range": "bytes=0-999"})
    assert reply.status_code == 206
    assert "Content-Encoding" not in reply.headers
    assert len(b"".join(reply)) == 1000


@pytest.mark.parametrize("kind", ["text/event-stream", "text/csv", "application/json"])
def test_a_stream_is_passed_on_as_it_comes(kind: str) -> None:
    def lines() -> Iterator[bytes]:
        yield b"data: 1\n\n" * 100
        pytest.fail("It was read before anybody asked.")

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(lines(), content_type=kind)

    answer = Compression(view)(RequestFactory().get("/", headers=TAKES))
    assert isinstance(answer, StreamingHttpResponse)
    assert next(iter(answer)) == b"data: 1\n\n" * 100


def test_what_is_packed_already_is_left_alone() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"%PDF" * 1000, content_type="application/pdf")

    answer = Compression(view)(RequestFactory().get("/", headers=TAKES))
    assert "Content-Encoding" not in answer.headers
