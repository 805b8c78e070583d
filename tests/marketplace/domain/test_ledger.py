"""The rules of double entry."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.ledger import (
    AccountKind,
    Movement,
    StatementLine,
    TransferKind,
    changes,
    fold,
    locking_order,
)
from marketplace.domain.money import MicroUsd

AT = datetime(2026, 1, 1, tzinfo=UTC)
MOVEMENTS = st.lists(
    st.builds(
        Movement,
        debit=st.sampled_from("abc"),
        credit=st.sampled_from("xyz"),
        amount_microusd=st.integers(1, 10**9).map(MicroUsd),
    )
)


def line(amount: int, balance: int, subject: str = "rental 1") -> StatementLine:
    kind, note = TransferKind.CHARGE, "10 s"
    return StatementLine(AT, kind, MicroUsd(amount), note, subject, MicroUsd(balance))


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


def test_charges_for_one_thing_in_a_row_become_one_line() -> None:
    folded = list(fold([line(-1, 7), line(-2, 8), line(-4, 10, subject="rental 2"), line(-1, 14)]))
    assert [(each.amount_microusd, each.total_microusd, each.transfers) for each in folded] == [
        (-3, 7, 2),
        (-4, 10, 1),
        (-1, 14, 1),
    ]


@given(st.lists(st.tuples(st.integers(-9, 9), st.sampled_from(["one", "two"]))))
def test_folding_keeps_the_sum(rows: list[tuple[int, str]]) -> None:
    lines = [line(amount, 0, subject) for amount, subject in rows]
    assert sum(each.amount_microusd for each in fold(lines)) == sum(amount for amount, _ in rows)
    assert sum(each.transfers for each in fold(lines)) == len(rows)
