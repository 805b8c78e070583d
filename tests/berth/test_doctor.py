"""``berth doctor`` says which of what a renter needs is missing."""

import pytest

from protocol.signing import openssh_public_key, public_key_of
from tests.berth.market import DOOR, Fault, Market, Refusal
from tests.berth.terminal import Terminal

PUBLIC_KEY = openssh_public_key(public_key_of(DOOR)) + " alice@laptop"


def test_the_doctor_names_what_is_missing(terminal: Terminal, market: Market) -> None:
    ran = terminal.berth("doctor", "--json")
    assert ran.code == 1
    assert [one["code"] for one in ran.json["checks"]] == ["", "", "", "", "ssh_key_missing", ""]
    market.keys.append({"id": 1, "name": "k", "fingerprint": "f", "public_key": PUBLIC_KEY})
    assert terminal.berth("doctor").code == 0
    terminal.environment["BERTH_URL"] = "http://127.0.0.1:1"
    lost = terminal.berth("doctor")
    assert lost.code == 3
    assert "FAIL  marketplace: Cannot reach http://127.0.0.1:1: Connection refused." in lost.out
    assert "The address is set by BERTH_URL or berth login." in lost.out


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=302, headers={"Location": "/login"}), "moved"),
        (Fault(status=404, content=b"<html>Not found"), "unexpected_answer"),
        (Fault(status=404, content=b'{"detail": "Not Found"}'), "unexpected_answer"),
        (Fault(content=b"<html>Welcome"), "not_berth"),
    ],
)
def test_the_doctor_takes_nobody_else_for_the_marketplace(
    terminal: Terminal, market: Market, fault: Fault, code: str
) -> None:
    market.faults.append(fault)
    ran = terminal.berth("doctor", "--json")
    newest = ran.json["checks"][-1]
    assert (ran.code, newest["check"], newest["code"]) == (1, "marketplace", code)


def test_the_doctor_tells_a_wrong_key_from_a_wrong_address(
    terminal: Terminal, market: Market
) -> None:
    terminal.environment["BERTH_API_KEY"] = "brt_another"
    market.refusals[("GET", "/offers")] = Refusal(401, "unauthenticated", "This key is not known.")
    ran = terminal.berth("doctor", "--json")
    found = {one["check"]: one["code"] for one in ran.json["checks"]}
    assert (found["marketplace"], found["log-in"]) == ("", "unauthenticated")
