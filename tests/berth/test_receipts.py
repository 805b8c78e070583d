"""This will check that forged, cut or overbilled receipts are caught offline."""

import copy
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth import receipts
from berth.bills import Receipts
from berth.problem import Refused
from protocol.receipts import SignedInterval
from protocol.signing import public_key_of
from tests.berth.market import MACHINE, chain

KEY = public_key_of(MACHINE)
OTHER_KEY = public_key_of(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
PLACEMENT = str(uuid.UUID(int=7))


def made(intervals: list[SignedInterval], billed_ms: int = 3000, key: str = KEY) -> Receipts:
    """Return receipts of $0.006 an hour."""
    cost = 6_000 * billed_ms // 3_600_000
    charges = [{"day": "2026-01-01", "amount_microusd": cost}] if cost else []
    return Receipts.model_validate(
        {
            "machine_key": key,
            "intervals": intervals,
            "billed_ms": billed_ms,
            "cost_microusd": cost,
            "periods": periods(billed_ms),
            "charges": charges,
        }
    )


def periods(billed_ms: int) -> list[dict[str, object]]:
    one = {"price_hour_microusd": 6_000, "from_ms": 0, "ms": billed_ms}
    return [{**one, "cost_microusd": 6_000 * billed_ms // 3_600_000}]


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


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each field of a document."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from places(one, (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*at, number))
    else:
        yield at


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, int):
        return value * 2 + 600
    if value == PLACEMENT:
        return str(uuid.UUID(int=8))
    return value[:-1] + ("1" if value[-1] != "1" else "2")


WHOLE = made(chain(PLACEMENT)).model_dump(mode="json")
#: these say what is no money: the reason in words, on which day, and where the next page is
WORDS = {"reason", "day", "next_cursor"}


@pytest.mark.parametrize("way", [way for way in places(WHOLE) if way[-1] not in WORDS], ids=str)
def test_every_field_that_is_changed_is_found_out(way: tuple[Any, ...]) -> None:
    spoilt = copy.deepcopy(WHOLE)
    inside = spoilt
    for step in way[:-1]:
        inside = inside[step]
    inside[way[-1]] = other(inside[way[-1]])
    with pytest.raises(Refused) as caught:
        receipts.check(receipts.read(json.dumps(spoilt).encode()))
    assert caught.value.code.startswith("receipts_")


@pytest.mark.parametrize("name", ["intervals", "periods", "charges"])
def test_a_part_that_is_cut_off_is_found_out(name: str) -> None:
    with pytest.raises(Refused) as caught:
        receipts.check(receipts.read(json.dumps({**WHOLE, name: WHOLE[name][:-1]}).encode()))
    assert caught.value.code in ("receipts_overbilled", "receipts_miscounted")


def test_a_reservation_that_ended_early_costs_its_whole_term_at_most() -> None:
    first, capped = periods(3000)[0], 4
    after = {"price_hour_microusd": 0, "from_ms": 3000, "ms": 0, "cost_microusd": 0}
    spoilt = {**WHOLE, "cost_microusd": capped, "periods": [{**first, "cost_microusd": capped}]}
    spoilt["charges"] = [{"day": "2026-01-01", "amount_microusd": capped}]
    with pytest.raises(Refused, match=r"cost \$0.000005, not \$0.000004"):
        receipts.check(Receipts.model_validate(spoilt))
    spoilt["periods"].append({**after, "reason": "whole_term_paid"})
    assert receipts.check(Receipts.model_validate(spoilt)).cost_microusd == capped
