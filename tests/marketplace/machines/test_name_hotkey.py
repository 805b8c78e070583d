"""A hotkey earns for a machine once it signed a text that names both; nobody else names it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import bittensor_core
import pytest

from marketplace.accounts.models import User
from marketplace.machines.models import HotkeyBinding, Machine
from protocol import hotkey as hotkeys
from protocol.hotkey_consent import HotkeyConsent
from tests.marketplace import scene
from tests.marketplace.scene import NOW
from tests.marketplace.test_api import Api

MINER = bittensor_core.Keypair.create_from_uri("//Miner")
OTHER = bittensor_core.Keypair.create_from_uri("//Other")
SITE = "https://berth.example"
Signing = Callable[[str], str]


@pytest.fixture
def machine(charlie: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Machine:
    settings.PUBLIC_URL = SITE
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return scene.machine(host=charlie)


def as_it_is(text: str) -> str:
    return hotkeys.sign(MINER, text.encode())


def as_a_browser_does(text: str) -> str:
    return hotkeys.sign(MINER, f"<Bytes>{text}</Bytes>".encode())


def asked(api: Api, machine: Machine, key: bittensor_core.Keypair = MINER) -> dict[str, str]:
    reply = api.get(f"/host/machines/{machine.id}/hotkey?hotkey={key.ss58_address}")
    assert reply.status_code == 200
    content: dict[str, str] = reply.json()
    return content


def handed_in(api: Api, machine: Machine, sign: Signing = as_it_is, **changes: str) -> Any:
    text = asked(api, machine)
    body = {
        "hotkey": MINER.ss58_address,
        "signed_at": text["signed_at"],
        "signature": sign(text["text"]),
        **changes,
    }
    return api.post(f"/host/machines/{machine.id}/hotkey", body)


def test_the_text_names_everything_that_it_holds_for(machine: Machine, charlie: User) -> None:
    assert asked(Api(charlie), machine)["text"].splitlines() == [
        "berth-hotkey/1",
        "This hotkey earns for the machine below from now on.",
        f"marketplace: {SITE}",
        f"account: {charlie.email}",
        f"machine: {machine.machine_key}",
        f"hotkey: {MINER.ss58_address}",
        f"time: {NOW:%Y-%m-%dT%H:%M:%SZ}",
    ]


@pytest.mark.parametrize("sign", [as_it_is, as_a_browser_does, lambda text: f"0x{as_it_is(text)}"])
def test_a_hotkey_that_agrees_earns_for_the_machine(
    machine: Machine, charlie: User, sign: Signing
) -> None:
    reply = handed_in(Api(charlie), machine, sign)
    assert (reply.status_code, reply.content) == (204, b"")
    (told,) = Api(charlie).get("/host/machines").json()["items"]
    assert told["miner_hotkey"] == MINER.ss58_address
    binding = HotkeyBinding.objects.get()
    assert hotkeys.verify(binding.hotkey, binding.text.encode(), binding.signature)
    assert (binding.machine_id, binding.host_id) == (machine.id, charlie.pk)


def changed_text(**changes: object) -> Signing:
    """Return a signature of the miner's over a text that differs in one thing."""

    def sign(text: str) -> str:
        told = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        consent = HotkeyConsent(
            marketplace=told["marketplace"],
            account=told["account"],
            machine_key=told["machine"],
            hotkey=told["hotkey"],
            signed_at=NOW,
        )
        assert consent.text() == text
        return as_it_is(consent.model_copy(update=changes).text())

    return sign


@pytest.mark.parametrize(
    "sign",
    [
        changed_text(marketplace="https://other.example"),
        changed_text(account="mallory@example.org"),
        changed_text(machine_key="0" * 64),
        changed_text(hotkey=OTHER.ss58_address),
        changed_text(signed_at=NOW - timedelta(seconds=1)),
        lambda text: hotkeys.sign(OTHER, text.encode()),
        lambda text: "0" * 128,
    ],
    ids=["marketplace", "account", "machine", "hotkey", "time", "signer", "zeros"],
)
def test_a_consent_to_anything_else_is_refused(
    machine: Machine, charlie: User, sign: Signing
) -> None:
    reply = handed_in(Api(charlie), machine, sign)
    assert (reply.status_code, reply.json()["code"]) == (422, "signature_invalid")
    assert Machine.objects.get().miner_hotkey == ""
    assert not HotkeyBinding.objects.exists()


@pytest.mark.parametrize(
    ("moved", "code"),
    [
        (timedelta(hours=1), None),
        (timedelta(hours=1, seconds=1), "consent_stale"),
        (timedelta(minutes=-2), None),
        (timedelta(minutes=-2, seconds=-1), "consent_stale"),
    ],
)
def test_a_consent_is_good_for_an_hour(
    machine: Machine,
    charlie: User,
    monkeypatch: pytest.MonkeyPatch,
    moved: timedelta,
    code: str | None,
) -> None:
    text = asked(Api(charlie), machine)
    body = {"hotkey": MINER.ss58_address, "signed_at": text["signed_at"]}
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + moved)
    reply = Api(charlie).post(
        f"/host/machines/{machine.id}/hotkey", body | {"signature": as_it_is(text["text"])}
    )
    assert (reply.json()["code"] if reply.content else None) == code


@pytest.mark.parametrize("fraction", ["", ".5"])
def test_a_consent_counts_once_and_an_older_one_not_at_all(
    machine: Machine, charlie: User, monkeypatch: pytest.MonkeyPatch, fraction: str
) -> None:
    api, path = Api(charlie), f"/host/machines/{machine.id}/hotkey"
    text = asked(api, machine)
    used = {
        "hotkey": MINER.ss58_address,
        "signed_at": f"{NOW:%Y-%m-%dT%H:%M:%S}{fraction}Z",
        "signature": as_it_is(text["text"]),
    }
    assert api.post(path, used).status_code == 204
    # The text that was signed has whole seconds, so this one's signature is right too.
    later = used | {"signed_at": f"{NOW:%Y-%m-%dT%H:%M:%S}.9Z"}
    assert api.post(path, later).json()["code"] == "consent_used"
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(minutes=1))
    newer = asked(api, machine, OTHER)
    body = {
        "hotkey": OTHER.ss58_address,
        "signed_at": newer["signed_at"],
        "signature": hotkeys.sign(OTHER, newer["text"].encode()),
    }
    assert api.post(path, body).status_code == 204
    for replayed in (used, later, body):
        reply = api.post(path, replayed)
        assert (reply.status_code, reply.json()["code"]) == (409, "consent_used")
    assert Machine.objects.get().miner_hotkey == OTHER.ss58_address
    assert HotkeyBinding.objects.count() == 2


@pytest.mark.parametrize(
    "hotkey", ["", "5", "0x" + "ab" * 32, bittensor_core.encode_ss58(MINER.public_key, 0)]
)
def test_only_an_address_as_the_chain_writes_it_is_a_hotkey(
    machine: Machine, charlie: User, hotkey: str
) -> None:
    reply = Api(charlie).get(f"/host/machines/{machine.id}/hotkey?hotkey={hotkey}")
    assert (reply.status_code, reply.json()["code"]) == (422, "hotkey_malformed")
    reply = handed_in(Api(charlie), machine, hotkey=hotkey)
    assert reply.json()["code"] in ("hotkey_malformed", "invalid")


def test_nobody_names_a_hotkey_for_anothers_machine(machine: Machine, bob: User) -> None:
    path = f"/host/machines/{machine.id}/hotkey"
    assert Api(bob).get(f"{path}?hotkey={MINER.ss58_address}").json()["code"] == "not_found"
    consent = HotkeyConsent(
        marketplace=SITE,
        account=bob.email,
        machine_key=machine.machine_key,
        hotkey=MINER.ss58_address,
        signed_at=NOW,
    )
    body = {
        "hotkey": MINER.ss58_address,
        "signed_at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "signature": as_it_is(consent.text()),
    }
    reply = Api(bob).post(path, body)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert Machine.objects.get().miner_hotkey == ""


@pytest.mark.parametrize("signature", ["0" * 127, "g" * 128, ""])
def test_what_is_no_signature_is_told_so(machine: Machine, charlie: User, signature: str) -> None:
    reply = handed_in(Api(charlie), machine, signature=signature)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
