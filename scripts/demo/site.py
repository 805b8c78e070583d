"""This will use the site as a person's browser and a host's scripts do, over HTTP."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import httpx

REQUEST_S_MAX = 20


class SiteRefused(Exception):
    """The site answered with an error; the sentence is the site's own."""


class NotRefused(Exception):
    """The site did what it should have refused."""


class Person:
    """Somebody with an account on the site."""

    def __init__(self, *, url: str, email: str, password: str) -> None:
        self.email = email
        self.password = password
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=REQUEST_S_MAX)
        self._key = ""

    def sign_up(self) -> None:
        """Fill in the sign-up page, then trade the password for an API key.

        :raises SiteRefused: when the site does not accept the form.
        """
        self._client.get("/accounts/signup/")
        passwords = {"password1": self.password, "password2": self.password}
        self.fill_in("/accounts/signup/", {"email": self.email, **passwords})
        body = {"email": self.email, "password": self.password, "name": "demo"}
        self._key = self.call("POST", "/auth/key", body)["key"]

    def fill_in(self, path: str, fields: Mapping[str, str]) -> str:
        """Send a form of the site's and return where it leads.

        :raises SiteRefused: when the site shows it again, as it does with a mistake in it.
        """
        answer = self._send_form(path, fields)
        if answer.status_code != httpx.codes.FOUND:
            raise SiteRefused(f"the form {path} of {self.email} answered {answer.status_code}")
        return answer.headers["location"]

    def press(self, path: str) -> str:
        """Press a button that leads to another site, and return the link on its page.

        :raises SiteRefused: when it leads nowhere.
        """
        answer = self._send_form(path, {})
        found = re.search(r'class="button button-main" id="[a-z]+" href="([^"]+)"', answer.text)
        if found is None:
            raise SiteRefused(f"the button {path} of {self.email} answered {answer.status_code}")
        return unescape(found[1])

    def fill_in_elsewhere(self, url: str, fields: Mapping[str, str]) -> None:
        """Send a form of another site's, and go back to where that leads.

        :raises SiteRefused: when it does not lead back to the site.
        """
        answer = self._client.post(url, data=dict(fields))
        back = answer.headers.get("location", "")
        if not back.startswith(self._url) or self._client.get(back).is_error:
            raise SiteRefused(f"{url} answered {answer.status_code} and leads to {back!r}")

    def _send_form(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        token = {"csrfmiddlewaretoken": self._client.cookies.get("csrftoken", "")}
        headers = {"Referer": f"{self._url}{path}"}
        return self._client.post(path, data={**fields, **token}, headers=headers)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API and return its answer.

        :raises SiteRefused: with the problem's own sentence.
        """
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        answer = self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
        if answer.is_error:
            raise SiteRefused(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: object, *, code: str) -> str:
        """Call the REST API, which has to refuse with this code; return its sentence.

        :raises NotRefused: when it does something else.
        """
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
        problem = answer.json() if answer.is_error else {}
        if problem.get("code") != code:
            raise NotRefused(f"{method} {path} answered {answer.status_code} and not {code}")
        return str(problem["detail"])

    def upload(self, path: str, content: bytes) -> Any:
        """Send a file as it is and return the answer.

        :raises SiteRefused: with the problem's own sentence.
        """
        return self._file("POST", path, content).json()

    def download(self, path: str) -> bytes:
        """Return a file.

        :raises SiteRefused: with the problem's own sentence.
        """
        return self._file("GET", path, None).content

    def _file(self, method: str, path: str, content: bytes | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self._client.request(method, f"/api/v1{path}", content=content, headers=headers)
        if answer.is_error:
            raise SiteRefused(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def answers(url: str) -> bool | None:
    """Return True once the site serves its sign-up page, None before."""
    try:
        return True if httpx.get(f"{url}/accounts/signup/", timeout=5).is_success else None
    except httpx.TransportError:
        return None
