"""A small image registry on the loopback: some repositories for everybody, some after a log-in."""

import base64
import contextlib
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DRIP_BYTES, DRIP_S = 1000, 0.2
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LOGIN = ("host", "secret")
TOKEN = "of-somebody"
INSIDE = "admin_token=of-the-host\n"


class Registry:
    """Repositories below /private/ ask for LOGIN, in the way that ``guard`` says.

    /broken/ ones fail, /silent/ ones say nothing, /echo/ ones repeat what they are told.

    Layers below /drip/ come a few bytes at a time, until it is hurried. What is below /astray/
    leads to INSIDE, which the host's own network holds for nobody else.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        #: every path that was asked for
        self.asked: list[str] = []
        self.login = LOGIN
        #: every log-in that was shown
        self.shown: set[str] = set()
        self.inside_status = 404
        #: how it asks for a log-in before it is told anything: not, Basic or Bearer
        self.guard = ""
        #: the digest of the layer that was pushed last
        self.layer = ""
        #: how much comes at a time
        self.drip_bytes = DRIP_BYTES
        self.hurried = threading.Event()
        self.closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.name = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.hurried.set()
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def dripping(self, size: int) -> Iterator[None]:
        """Let so many bytes come at a time meanwhile, until it is hurried."""
        self.hurried.clear()
        self.drip_bytes = size
        try:
            yield
        finally:
            self.hurried.set()
            self.drip_bytes = DRIP_BYTES

    def push(self, repository: str, tag: str, files: bytes) -> str:
        """Store an image of one layer and return its name."""
        layer = gzip.compress(files, mtime=0)
        self.layer = _digest(layer)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sleep", "100000"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(files)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._store(
                json.dumps(config).encode(), "application/vnd.docker.container.image.v1+json"
            ),
            "layers": [
                self._store(
                    layer,
                    "application/vnd.docker.image.rootfs.diff.tar.gzip",
                )
            ],
        }
        content = json.dumps(manifest).encode()
        for reference in (tag, _digest(content)):
            self.manifests[f"{repository}/manifests/{reference}"] = content
        return f"{self.name}/{repository}:{tag}"

    def _store(self, content: bytes, kind: str) -> dict[str, Any]:
        self.blobs[_digest(content)] = content
        return {"mediaType": kind, "size": len(content), "digest": _digest(content)}

    def answer(self, path: str, login: str) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        self.asked.append(path)
        self.shown.add(login)
        given = base64.b64encode(":".join(self.login).encode()).decode()
        wanted = f"Bearer {TOKEN}" if self.guard == "Bearer" else f"Basic {given}"
        unknown = "/private/" in path and login != wanted
        if unknown or (path == "/v2/" and self.guard and not login):
            return 401, "application/json", _error("UNAUTHORIZED", "authentication required")
        if path.startswith("/token"):
            token = TOKEN if login == f"Basic {given}" else "of-nobody"
            return 200, "application/json", json.dumps({"token": token}).encode()
        if path.startswith("/v2/echo/"):
            told = base64.b64decode(login.removeprefix("Basic ")).decode()
            return 401, "application/json", _error("UNAUTHORIZED", f"not with {told} {login}")
        if path.startswith("/v2/astray/"):
            return 307, "text/plain", b""
        if path == "/inside/":
            return self.inside_status, "text/plain", INSIDE.encode()
        if path.startswith("/v2/broken/"):
            return 500, "application/json", _error("UNKNOWN", "the disks burn")
        if path.startswith("/v2/silent/"):
            self.closed.wait()
        name = path.removeprefix("/v2/")
        if name in self.manifests:
            return 200, MANIFEST, self.manifests[name]
        digest = path.rpartition("/")[2]
        if digest in self.blobs:
            return 200, "application/octet-stream", self.blobs[digest]
        if path == "/v2/":
            return 200, "application/json", b"{}"
        return 404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown")

    def challenge(self) -> str:
        """Say how to log in."""
        if self.guard != "Bearer":
            return 'Basic realm="tests"'
        return f'Bearer realm="http://{self.name}/token",service="tests"'

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                login = self.headers.get("Authorization", "")
                status, kind, body = registry.answer(self.path, login)
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", f"http://{registry.name}/inside/")
                if status == 401:
                    self.send_header("WWW-Authenticate", registry.challenge())
                if kind == MANIFEST:
                    self.send_header("Docker-Content-Digest", _digest(body))
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    if self.path.startswith("/v2/drip/") and registry.layer in self.path:
                        self._drip(body)
                    else:
                        self.wfile.write(body)

            def _drip(self, body: bytes) -> None:
                with contextlib.suppress(OSError):
                    while body and not registry.hurried.wait(DRIP_S):
                        self.wfile.write(body[: registry.drip_bytes])
                        body = body[registry.drip_bytes :]
                    if not registry.closed.is_set():
                        self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                """Stay quiet."""

        return Handler


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
