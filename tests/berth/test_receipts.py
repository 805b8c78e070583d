"""This will check that forged, cut or overbilled receipts are caught offline."""

import json
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth import receipts
from berth.problem import Refused
from berth.shapes import Receipts
from protocol.receipts import SignedInterval
from protocol.signing import public_key_of
from tests.berth.market import MACHINE, chain

KEY = public_key_of(MACHINE)
OTHER_KEY = public_key_of(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
PLACEMENT = str(uuid.UUID(int=7))


def made(intervals: list[SignedInterval], billed_ms: int = 3000, key: str = KEY) -> Receipts:
    return Receipts(
        machine_key=key, intervals=tuple(intervals), billed_ms=billed_ms, cost_microusd=5
    )


def test_a_true_chain_proves_its_milliseconds() -> None:
    proof = receipts.check(made(chain(PLACEMENT)), machine_key=KEY)
    assert (proof.proven_ms, proof.intervals, proof.placement_id) == (3000, 3, PLACEMENT)


def test_no_interval_proves_nothing_and_may_bill_nothing() -> None:
    assert receipts.check(made([], billed_ms=0)).proven_ms == 0
    with pytest.raises(Refused) as caught:
        receipts.check(made([], billed_ms=1))
    assert caught.value.code == "receipts_overbilled"


def test_more_billed_than_signed_for_is_caught() -> None:
    with pytest.raises(Refused, match="3001 ms were billed but only 3000"):
        receipts.check(made(chain(PLACEMENT), billed_ms=3001))


def _longer(intervals: list[SignedInterval]) -> list[SignedInterval]:
    last = intervals[-1]
    stretched = last.interval.model_copy(update={"to_age_ms": 9000})
    return [*intervals[:-1], last.model_copy(update={"interval": stretched})]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_longer, id="stretched"),
        pytest.param(lambda chained: chained[1:], id="beginning cut off"),
        pytest.param(lambda chained: [chained[0], chained[2]], id="middle cut out"),
        pytest.param(lambda chained: [*chained, chained[-1]], id="counted twice"),
        pytest.param(lambda chained: [chained[1], chained[0], chained[2]], id="reordered"),
        pytest.param(
            lambda chained: [chained[0].model_copy(update={"signature": "0" * 128})],
            id="signature of nobody",
        ),
    ],
)
def test_a_spoilt_chain_is_caught(spoil) -> None:
    with pytest.raises(Refused) as caught:
        receipts.check(made(spoil(chain(PLACEMENT)), billed_ms=0))
    assert caught.value.code == "receipts_broken"


def test_another_machine_is_caught() -> None:
    with pytest.raises(Refused, match="another machine"):
        receipts.check(made(chain(PLACEMENT), key=OTHER_KEY))
    with pytest.raises(Refused, match="another machine"):
        receipts.check(made(chain(PLACEMENT)), machine_key=OTHER_KEY)


def test_receipts_survive_being_saved() -> None:
    given = made(chain(PLACEMENT))
    assert receipts.read(given.model_dump_json().encode()) == given


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", json.dumps({"intervals": 1}).encode()])
def test_a_file_without_receipts_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as caught:
        receipts.read(content)
    assert caught.value.code == "receipts_malformed"


def test_pages_are_one_chain() -> None:
    first, second, third = chain(PLACEMENT)
    check = receipts.Check(machine_key=KEY)
    # More is billed by now than the first page alone proves.
    check.add(made([first, second]))
    check.add(made([third]))
    assert check.proof() == receipts.check(made(chain(PLACEMENT)), machine_key=KEY)
    with pytest.raises(Refused) as caught:
        check.add(made([second]))
    assert caught.value.code == "receipts_broken"
