import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.machines.actions.authenticate import (
    ClockSkew,
    MachineUnknown,
    SignatureInvalid,
    Signed,
    authenticate,
    check_signature,
)
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.actions.issue_token import issue_token
from protocol.paths import AGENT_SYNC, HEADER_MACHINE, HEADER_SENT_AT, HEADER_SIGNATURE
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace.scene import NOW, enrol_request, user

NOW_MS = int(NOW.timestamp() * 1000)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
BODY = b'{"version":1}'


def headers(
    *, sent_at_ms: int = NOW_MS, body: bytes = BODY, method: str = "POST"
) -> dict[str, str]:
    sender = public_key_of(KEY)
    content = request_bytes(
        method=method, path=AGENT_SYNC, sender=sender, sent_at_ms=sent_at_ms, body=body
    )
    return {
        HEADER_MACHINE: sender,
        HEADER_SENT_AT: str(sent_at_ms),
        HEADER_SIGNATURE: sign(KEY, content),
    }


def check(told: dict[str, str], *, path: str = AGENT_SYNC) -> Signed:
    return check_signature(headers=told, method="POST", path=path, body=BODY, now=NOW)


def test_a_signed_request_names_its_key_whatever_the_case_of_its_headers() -> None:
    expected = Signed(machine_key=public_key_of(KEY), sent_at_ms=NOW_MS)
    assert check(headers()) == expected
    assert check({name.lower(): value for name, value in headers().items()}) == expected


@pytest.mark.parametrize(
    "told",
    [
        {},
        headers() | {HEADER_SIGNATURE: ""},
        headers() | {HEADER_SIGNATURE: "0" * 128},
        headers() | {HEADER_SIGNATURE: "é"},
        headers() | {HEADER_MACHINE: "nonsense"},
        headers() | {HEADER_MACHINE: "0" * 64},
        headers() | {HEADER_SENT_AT: "soon"},
        headers() | {HEADER_SENT_AT: "-1"},
        headers() | {HEADER_SENT_AT: "9" * 5000},
        headers() | {HEADER_SENT_AT: str(NOW_MS + 1)},
        headers(body=b"other"),
        headers(method="GET"),
    ],
)
def test_anything_else_than_what_was_signed_is_refused(told: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        check(told)


def test_a_signature_for_another_path_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        check(headers(), path="/api/agent/v1/enrol")


@pytest.mark.parametrize("off_ms", [60_001, -60_001])
def test_a_clock_that_is_off_by_more_than_a_minute_is_refused(off_ms: int) -> None:
    with pytest.raises(ClockSkew):
        check(headers(sent_at_ms=NOW_MS + off_ms))


@pytest.mark.django_db
def test_only_an_enrolled_machine_is_known() -> None:
    call = {"headers": headers(), "method": "POST", "path": AGENT_SYNC, "body": BODY, "now": NOW}
    with pytest.raises(MachineUnknown):
        authenticate(**call)  # type: ignore[arg-type]
    token = issue_token(host_id=user().id, now=NOW).token
    made = enrol(request=enrol_request(KEY, token), now=NOW)
    assert authenticate(**call).machine_id == made.id  # type: ignore[arg-type]
