"""What ends soonest is taken first, and nothing is lost on the way."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.credit import returned, taken, unspent

AMOUNTS = st.integers(0, 100)


@given(amount=AMOUNTS, left=st.lists(AMOUNTS))
def test_what_is_taken_adds_up_and_leaves_the_last(amount: int, left: list[int]) -> None:
    parts = taken(amount, left)
    assert sum(parts) == min(amount, sum(left))
    for number, part in enumerate(parts):
        assert 0 <= part <= left[number]
        assert part == left[number] or sum(parts[number + 1 :]) == 0


@given(charged=AMOUNTS, held=st.lists(AMOUNTS))
def test_what_is_charged_and_what_is_left_are_the_whole(charged: int, held: list[int]) -> None:
    assert sum(unspent(charged, held)) == max(0, sum(held) - charged)


def test_credit_that_ends_soonest_is_spent_first() -> None:
    assert unspent(25, [20, 30]) == [0, 25]


@given(money=AMOUNTS, spent=st.lists(AMOUNTS), data=st.data())
def test_what_is_given_back_was_spent_and_money_comes_first(
    money: int, spent: list[int], data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, money + sum(spent)))
    paid, parts = returned(amount, money, spent)
    assert paid + sum(parts) == amount
    assert paid == min(amount, money)
    for number, part in enumerate(parts):
        assert 0 <= part <= spent[number]
        assert part == 0 or parts[number + 1 :] == spent[number + 1 :]


def test_of_credit_what_ends_last_comes_back_first() -> None:
    assert returned(25, 10, [20, 12]) == (10, [3, 12])
