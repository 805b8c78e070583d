"""Hosts see their own machines with what each earned, and name hotkeys that agree."""

from collections.abc import Callable

import bittensor_core
import pytest

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.hosting import hosted_machines
from protocol import hotkey
from protocol.agent import ObservedState
from tests.marketplace import scene
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after
from tests.marketplace.test_api import Api

MINER = bittensor_core.Keypair.create_from_uri("//Miner")


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return Market.open(charlie)


def consent(machine_key: str) -> dict[str, str]:
    """Return what the miner sends to earn for this machine."""
    signature = hotkey.sign(MINER, f"berth-hotkey/1\n{machine_key}".encode())
    return {"hotkey": MINER.ss58_address, "signature": signature}


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_a_hotkey_that_agrees_earns_for_the_machine(
    market: Market, charlie: User, prefix: str
) -> None:
    body = consent(market.machine.machine_key)
    body["signature"] = prefix + body["signature"]
    reply = Api(charlie).post(f"/host/machines/{market.machine.id}/hotkey", body)
    assert (reply.status_code, reply.content) == (204, b"")
    (told,) = Api(charlie).get("/host/machines").json()["items"]
    assert told["miner_hotkey"] == MINER.ss58_address


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"signature": "0" * 128}, "signature_invalid"),
        ({"signature": "0" * 127}, "invalid"),
        ({"hotkey": "5"}, "invalid"),
        ({"hotkey": bittensor_core.Keypair.create_from_uri("//Other").ss58_address}, None),
        (consent("0" * 64), "signature_invalid"),
    ],
)
def test_a_hotkey_that_did_not_agree_is_refused(
    market: Market, charlie: User, changed: dict[str, str], code: str | None
) -> None:
    body = consent(market.machine.machine_key) | changed
    reply = Api(charlie).post(f"/host/machines/{market.machine.id}/hotkey", body)
    assert (reply.status_code, reply.json()["code"]) == (422, code or "signature_invalid")
    assert Machine.objects.get().miner_hotkey == ""


def test_nobody_names_a_hotkey_for_anothers_machine(market: Market, bob: User) -> None:
    body = consent(market.machine.machine_key)
    reply = Api(bob).post(f"/host/machines/{market.machine.id}/hotkey", body)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert Machine.objects.get().miner_hotkey == ""


def test_a_host_sees_what_each_of_its_own_machines_earned(
    market: Market, charlie: User, alice: User, bob: User, give: Callable[..., None]
) -> None:
    idle = scene.machine(host=charlie)
    strange = scene.machine(host=bob)
    give(alice, 10_000_000)
    give_key(alice)
    rental = market.rent(alice)
    market.run(rental, at=after(2))
    market.look(at=after(100))
    market.agent.sync(after(100))
    running = market.agent.observed(
        rental.placement_id, ObservedState.RUNNING, run=1, age_ms=98_000
    )
    market.agent.sync(
        after(100),
        placements=[running],
        intervals=[market.agent.count(rental.placement_id, 0, 98_000)],
    )
    charge_all(now=after(101))
    second_microusd = CPU_HOUR_MICROUSD // 3600
    earned = {each.machine.id: each for each in hosted_machines(charlie.pk, now=after(101))}
    assert earned.keys() == {market.machine.id, idle.id}
    assert earned[market.machine.id].earned_microusd == 97 * second_microusd * 95 // 100
    assert earned[idle.id].earned_microusd == 0
    assert (earned[market.machine.id].verdict, earned[idle.id].verdict) == ("verified", "")
    assert earned[idle.id].points_micro is None
    assert [each.machine.id for each in hosted_machines(bob.pk, now=after(101))] == [strange.id]
