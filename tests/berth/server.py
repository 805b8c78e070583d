"""This will put the fake market behind a socket."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.berth.market import Market, Refusal, Seen


class Server(ThreadingHTTPServer):
    """The market behind a socket."""

    daemon_threads = True

    def __init__(self, market: Market) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.market = market
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def handle_one(self) -> None:
        with self.server.lock:
            self._handle()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

    def _handle(self) -> None:
        market = self.server.market
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        seen = Seen(
            method=self.command,
            path=parts.path.removeprefix("/api/v1"),
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(content) if content else None,
        )
        market.seen.append(seen)
        fault = market.faults.popleft() if market.faults else None
        if fault and not fault.drop:
            self._send(fault.status, fault.content, "text/plain", fault.headers)
            return
        try:
            status, body = market.answer(seen)
            content, kind = (b"" if body is None else json.dumps(body).encode()), "application/json"
        except Refusal as refusal:
            status, kind = refusal.status, "application/problem+json"
            problem = {"status": status, "code": refusal.code, "detail": refusal.detail}
            content = json.dumps(problem).encode()
        if fault:
            self.close_connection = True
            return
        self._send(status, content, kind, {})

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the tests read what was asked from ``market.seen``."""
