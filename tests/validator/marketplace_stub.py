"""This will be a marketplace on the loopback: it serves fixed records and keeps what it is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Stub:
    #: body by path of what GET answers; anything else is 404
    answers: dict[str, bytes] = field(default_factory=dict)
    #: path and body of every POST, in order
    told: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """Yield the stub while it answers at ``stub.url``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self._send(200 if path in stub.answers else 404, stub.answers.get(path, b""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stub.told.append((self.path, body))
            taken = {"recorded": len(json.loads(body).get("verdicts", ())), "refused": []}
            self._send(201, json.dumps(taken).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
