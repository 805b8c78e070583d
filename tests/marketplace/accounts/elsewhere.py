"""Somebody else's site that people log in by: a stand-in of GitHub and of Google over real HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, SECRET = "site", "not for others"


@dataclass
class Elsewhere:
    """Who is logged in there, what is said of them, and what was asked."""

    url: str = ""
    uid: int = 7
    login: str = "alice-elsewhere"
    #: address and whether it was seen to be theirs there
    emails: list[tuple[str, bool]] = field(default_factory=list)
    #: answers every question of the site with this status
    broken: int = 0
    #: of each code that was given: where it leads back to, and what proves who asked for it
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = (query["redirect_uri"], query["code_challenge"])
        answer = urlencode({"code": code, "state": query["state"]})
        return f"{query['redirect_uri']}?{answer}"

    def token(self, form: dict[str, str]) -> dict[str, str]:
        """Return a token for a code, once, to whoever asked for the code."""
        redirect_uri, challenge = self.codes.pop(form["code"])
        assert (form["client_id"], form["client_secret"]) == (CLIENT_ID, SECRET)
        assert form["redirect_uri"] == redirect_uri
        made = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(made).decode().rstrip("=") == challenge
        return {"access_token": "t", "token_type": "bearer", "id_token": "of no use here"}

    def said(self, path: str) -> Any:
        """Return what is said of whoever is logged in."""
        email, verified = self.emails[0] if self.emails else ("", False)
        return {
            "/user": {"id": self.uid, "login": self.login, "email": None, "bio": "Private."},
            "/user/emails": [
                {"email": one, "verified": seen, "primary": not place}
                for place, (one, seen) in enumerate(self.emails)
            ],
            "/userinfo": {"id": str(self.uid), "email": email, "verified_email": verified},
        }[path]


@contextmanager
def serving() -> Iterator[Elsewhere]:
    """Serve it on a port of loopback that was free."""
    there = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            there.asked.append(parts.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self._answer(302, {}, there.authorize(asked))
            else:
                assert self.headers["Authorization"] in ("token t", "Bearer t")
                self._answer(there.broken or 200, there.said(parts.path))

        def do_POST(self) -> None:
            there.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(there.broken or 200, there.token(form))

        def _answer(self, status: int, said: Any, location: str = "") -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()
