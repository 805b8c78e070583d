"""Docker's HTTP API on a unix socket, for the library that the agent speaks it with."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.faults.kills.disks import Refused
from tests.faults.kills.engine import Engine


class DockerLine:
    """Serves one engine until it is closed."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._server = _Server(str(path), _handler(engine))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    # Closing waits for what is still at work: it works below the folder that is removed then.
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: whoever asked was killed."""


def _handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self._body()
            if body is None:
                # Killed while it asked: Docker would not act on half a request either.
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            # The first part is the API's version.
            path = unquote(parts.path)
            path = path.split("/", 2)[2] if path.startswith("/v1.") else path
            status = 200
            try:
                if path == "/run":
                    answer: object = engine.run(json.loads(body))
                else:
                    answer = engine.ask(self.command, path, dict(parse_qsl(parts.query)), body)
                    status = 204 if answer is None else 200
            except Refused as error:
                status, answer = error.status, {"message": str(error)}
            except Exception as error:
                engine.broken.append(f"the stand-in failed at {self.command} {path}: {error!r}")
                status, answer = 500, {"message": repr(error)}
            said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            content = b"" if status in (204, 304) else said
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _body(self) -> bytes | None:
            size = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(size)
            return body if len(body) == size else None

        def address_string(self) -> str:
            return "agent"

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    return Handler
