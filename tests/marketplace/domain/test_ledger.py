"""The rules of double entry."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.ledger import (
    AccountKind,
    Movement,
    changes,
    locking_order,
)
from marketplace.domain.money import MicroUsd

MOVEMENTS = st.lists(
    st.builds(
        Movement,
        debit=st.sampled_from("abc"),
        credit=st.sampled_from("xyz"),
        amount_microusd=st.integers(1, 10**9).map(MicroUsd),
    )
)


@given(MOVEMENTS)
def test_movements_take_as_much_as_they_give(movements: list[Movement]) -> None:
    found = changes(movements).values()
    assert sum(change.debits for change in found) == sum(change.credits for change in found)


def test_an_account_on_both_sides_counts_both() -> None:
    found = changes([Movement("a", "b", MicroUsd(5)), Movement("b", "c", MicroUsd(3))])
    assert (found["b"].debits, found["b"].credits) == (3, 5)


@given(st.permutations(["a", "b", "c", "d"]))
def test_accounts_are_locked_in_one_order_and_the_shared_ones_last(names: list[str]) -> None:
    kinds = {
        "a": AccountKind.OUTSIDE,
        "b": AccountKind.WALLET,
        "c": AccountKind.FEES,
        "d": AccountKind.HOLD,
    }
    assert list(locking_order({name: kinds[name] for name in names})) == ["b", "d", "a", "c"]
