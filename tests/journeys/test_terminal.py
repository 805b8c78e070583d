"""A renter's browser types into a real container, and the key that let it in is gone again."""

import asyncio
import json

import httpx
import pytest
import websockets

from tests.journeys.conftest import Renter
from tests.journeys.stack import PASSWORD, WAIT_S, Stack, until

pytestmark = pytest.mark.xdist_group("journeys")

KEYS = "grep -c ssh- /.access-keys/authorized_keys"


def log_in(stack: Stack) -> str:
    """Log in by the form and return the session's cookie."""
    with httpx.Client(base_url=stack.url, timeout=WAIT_S) as browser:
        browser.get("/accounts/login/")
        form = {"login": "alice@example.com", "password": PASSWORD}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post("/accounts/login/", data=form)
        return browser.cookies["sessionid"]


async def use(stack: Stack, rental_id: str, typed: bytes) -> tuple[str, str]:
    """Return what the terminal showed and how it ended, after this was typed."""
    shown, ended = b"", ""
    socket = f"ws://127.0.0.1:{stack.port}/rentals/{rental_id}/terminal/socket"
    session = {"Cookie": f"sessionid={log_in(stack)}"}
    async with (
        asyncio.timeout(WAIT_S),
        websockets.connect(socket, origin=stack.url, additional_headers=session) as page,
    ):
        await page.send(json.dumps({"type": "open", "columns": 101, "rows": 31}))
        async for message in page:
            if isinstance(message, bytes):
                shown += message
            elif json.loads(message)["type"] == "state":
                await page.send(typed)
            else:
                ended = json.loads(message)["code"]
    return shown.decode(), ended


def test_a_terminal_in_the_browser_is_in_the_rental(stack: Stack, renter: Renter) -> None:
    rental_id = renter.rent()
    rental = renter.wait(rental_id, "active")
    # What is counted is told apart from the line that asks for it, which the terminal shows too.
    typed = b'echo "six times seven is $((6*7))"; tty; exit\r'
    shown, ended = asyncio.run(use(stack, rental_id, typed))
    assert "six times seven is 42" in shown
    assert "/dev/pts/" in shown
    assert ended == "exited"
    until(lambda: renter.ssh(rental, KEYS).strip() == "1", "only Alice's own key is let in")
    renter.end(rental_id)
    stack.everything_is_given_back()
