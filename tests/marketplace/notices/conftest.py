"""A person who is told things, and a receiver of their web hooks on loopback."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.notices.actions.notify import notify


@dataclass
class Receiver:
    """What was sent to it, and what it answers."""

    port: int = 0
    status: int = 200
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    got: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/berth?a=1"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """A real server that keeps what it gets."""
    settings.PRIVATE_HOOKS = True
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.path, dict(self.headers), body))
            self.send_response(kept.status)
            for name, value in kept.answer_headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tell(now: datetime) -> Callable[..., bool]:
    """Tell a person of something: ``tell(alice, "low")``."""

    def _tell(user: User, cause: str, **more: object) -> bool:
        return notify(
            user_id=user.pk,
            kind="balance_low",
            cause=cause,
            title=f"Told of {cause}",
            text="In words.",
            data={"url": "/money/"},
            now=more.get("now", now),  # type: ignore[arg-type]
        )

    return _tell
