"""A host's browser: ask what to sign, sign it in a wallet, hand it in."""

from collections.abc import Callable

import bittensor_core
import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from protocol import hotkey as hotkeys
from tests.marketplace.rentals.market import Market

MINER = bittensor_core.Keypair.create_from_uri("//Miner")
#: with a new text
AGAIN = "Sign this with the hotkey"
Browser = Callable[[User], Client]


@pytest.fixture
def url(market: Market) -> str:
    return f"/host/machines/{market.machine.id}/hotkey"


def signed(browser: Client, url: str) -> dict[str, str]:
    reply = browser.get(url, {"hotkey": MINER.ss58_address})
    text, form = reply.context["text"], reply.context["form"]
    assert text.splitlines()[-1] in reply.content.decode()
    signature = hotkeys.sign(MINER, f"<Bytes>{text}</Bytes>".encode())
    return {**form.initial, "signature": f" 0x{signature.upper()} "}


def test_a_host_names_a_hotkey_in_two_steps(charlie: User, browser_of: Browser, url: str) -> None:
    browser = browser_of(charlie)
    assert "Earn emission" in browser.get(url.removesuffix("hotkey")).content.decode()
    page = browser.post(url, signed(browser, url), follow=True).content.decode()
    assert "earns for this machine from now on" in page
    assert "Change who earns its emission" in page
    assert Machine.objects.get().miner_hotkey == MINER.ss58_address


@pytest.mark.parametrize(
    ("changes", "said", "shown"),
    [
        ({"signature": "0" * 128}, "sign exactly the text that you were given", AGAIN),
        ({"signature": "12"}, "128 hex digits", AGAIN),
        ({"signed_at": "2020-01-01T00:00:00+00:00"}, "within the last hour", AGAIN),
        ({"hotkey": "5"}, "begins with 5", "Your machines"),
    ],
)
def test_what_is_wrong_is_said(
    charlie: User, browser_of: Browser, url: str, changes: dict[str, str], said: str, shown: str
) -> None:
    browser = browser_of(charlie)
    page = browser.post(url, signed(browser, url) | changes, follow=True).content.decode()
    assert said in page
    assert f"<h1>{shown}</h1>" in page
    assert Machine.objects.get().miner_hotkey == ""


@pytest.mark.parametrize("hotkey", ["", "5nonsense"])
def test_no_text_for_what_is_no_hotkey(
    charlie: User, browser_of: Browser, url: str, hotkey: str
) -> None:
    reply = browser_of(charlie).get(url, {"hotkey": hotkey}, follow=True)
    assert reply.redirect_chain == [("/host/", 302)]


def test_anothers_machine_is_none(bob: User, browser_of: Browser, url: str) -> None:
    browser = browser_of(bob)
    assert browser.get(url, {"hotkey": MINER.ss58_address}).status_code == 404
    told = {"hotkey": MINER.ss58_address, "signed_at": "2026-03-01", "signature": "0" * 128}
    assert browser.post(url, told).status_code == 404


def test_a_visitor_logs_in_first(url: str) -> None:
    assert Client().get(url, {"hotkey": MINER.ss58_address}).status_code == 302
