"""This will use the site as a person's browser and a host's scripts do, over HTTP."""

import re
from typing import Any

import httpx

REQUEST_S_MAX = 20


class SiteRefused(Exception):
    """The site answered with an error; the sentence is the site's own."""


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
        page = self._client.get("/accounts/signup/")
        found = re.search(r'name="csrfmiddlewaretoken"\s+value="([^"]+)"', page.text)
        if found is None:
            raise SiteRefused(f"the sign-up page answered {page.status_code} without its form")
        answer = self._client.post(
            "/accounts/signup/",
            data={
                "csrfmiddlewaretoken": found[1],
                "email": self.email,
                "password1": self.password,
                "password2": self.password,
            },
            headers={"Referer": f"{self._url}/accounts/signup/"},
        )
        # A form with a mistake is shown again with 200; only success leads elsewhere.
        if answer.status_code != httpx.codes.FOUND:
            raise SiteRefused(f"sign-up of {self.email} answered {answer.status_code}")
        body = {"email": self.email, "password": self.password, "name": "demo"}
        self._key = self.call("POST", "/auth/key", body)["key"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the REST API and return its answer.

        :raises SiteRefused: with the problem's own sentence.
        """
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        answer = self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
        if answer.is_error:
            raise SiteRefused(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

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
