import pytest

from marketplace.verification.authenticate import (
    RequestReplayed,
    RequestStale,
    RequestUnsigned,
    ValidatorNotAdmitted,
    authenticate,
    forget_nonces,
    signed_bytes,
)
from tests.marketplace.scene import NOW, Judge, after

pytestmark = pytest.mark.django_db
PATH = "/api/v1/validator/targets"
NOW_NS = int(NOW.timestamp()) * 10**9


def headers(judge: Judge, *, nonce: int = NOW_NS, body: bytes = b"") -> dict[str, str]:
    hotkey = judge.keypair.ss58_address
    content = signed_bytes(method="GET", path=PATH, body=body, nonce=str(nonce), sender=hotkey)
    return {
        "X-Bittensor-Version": "1",
        "X-Bittensor-Hotkey": hotkey,
        "X-Bittensor-Nonce": str(nonce),
        "X-Bittensor-Signature": "0x" + bytes(judge.keypair.sign(content)).hex(),
    }


def check(told: dict[str, str]) -> str:
    return authenticate(headers=told, method="GET", path=PATH, body=b"", now=NOW)


def test_an_admitted_validator_is_known_by_its_hotkey() -> None:
    judge = Judge().admitted()
    assert check(headers(judge)) == judge.keypair.ss58_address


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Bittensor-Version": "2"},
        {"X-Bittensor-Crypto": "ed25519"},
        {"X-Bittensor-Receiver": "5Somebody"},
        {"X-Bittensor-Nonce": "now"},
        {"X-Bittensor-Nonce": str(NOW_NS + 1)},
        {"X-Bittensor-Hotkey": "nonsense"},
        {"X-Bittensor-Signature": "0x00"},
        {"X-Bittensor-Signature": ""},
    ],
)
def test_anything_else_than_what_was_signed_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(RequestUnsigned):
        check(headers(Judge().admitted()) | changed)


def test_a_request_without_headers_is_refused() -> None:
    with pytest.raises(RequestUnsigned):
        check({})


def test_a_signature_over_another_body_is_refused() -> None:
    with pytest.raises(RequestUnsigned):
        check(headers(Judge().admitted(), body=b"other"))


@pytest.mark.parametrize("off_ns", [-10_000_001_000, 2_000_001_000])
def test_an_old_or_future_request_is_refused(off_ns: int) -> None:
    with pytest.raises(RequestStale):
        check(headers(Judge().admitted(), nonce=NOW_NS + off_ns))


def test_the_same_request_is_served_once() -> None:
    told = headers(Judge().admitted())
    check(told)
    with pytest.raises(RequestReplayed):
        check(told)


def test_used_nonces_are_forgotten_only_when_they_are_too_old_to_serve() -> None:
    check(headers(Judge().admitted()))
    assert forget_nonces(now=after(60)) == 0
    assert forget_nonces(now=after(61)) == 1


def test_a_hotkey_that_is_not_admitted_is_refused() -> None:
    with pytest.raises(ValidatorNotAdmitted):
        check(headers(Judge()))
