"""A renter cannot keep the whole site waiting by waiting often for one proof."""

from uuid import UUID, uuid4

import pytest
from django.db import connection

from marketplace.rentals import proof_api
from protocol.rental_proof import ProofLines

NOTHING, SOMETHING = ProofLines(), ProofLines(lines=("{}",))
#: a call that is really held for so long is a test that never ends
LONG_S = 1e6


def nested(side: tuple[UUID, bool], other: tuple[UUID, bool], looks: list[int]) -> ProofLines:
    """Look for the first call, during which another one comes."""
    looks.append(1)
    if len(looks) > 1:
        return SOMETHING
    proof_api.held(other, lambda: NOTHING, 0)
    return NOTHING


@pytest.mark.parametrize(("same", "answered_after"), [(True, 1), (False, 2)])
def test_the_newest_call_of_one_side_is_held_alone(same: bool, answered_after: int) -> None:
    side, looks = (uuid4(), True), list[int]()
    other = side if same else (side[0], False)
    proof_api.held(side, lambda: nested(side, other, looks), LONG_S)
    assert len(looks) == answered_after
    # Another test may still hold a call of its own.
    assert not {side, other} & proof_api._newest.keys()


@pytest.mark.django_db(transaction=True)
def test_a_held_call_keeps_no_connection_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    monkeypatch.setattr(
        proof_api.time, "sleep", lambda _: held.append(connection.connection is not None)
    )

    def look() -> ProofLines:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return SOMETHING if held else NOTHING

    proof_api.held((uuid4(), True), look, LONG_S)
    assert held == [False]
