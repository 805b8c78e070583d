"""Who leaves the waiting room."""

from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.crowd import WAITING_ADDRESS_MOST, WAITING_MOST, leaving


def test_there_is_room_for_a_few_of_everybody() -> None:
    assert leaving([], newcomer="a") is None
    assert leaving(["a"] * (WAITING_ADDRESS_MOST - 1), newcomer="a") is None


def test_an_address_that_comes_too_often_pushes_itself_out() -> None:
    waiting = ["b", *["a"] * WAITING_ADDRESS_MOST]
    assert leaving(waiting, newcomer="a") == 1


def test_a_full_room_loses_the_oldest_of_the_most_crowded_address() -> None:
    waiting = ["once", *[f"{number // 3}" for number in range(WAITING_MOST - 1)]]
    assert leaving(waiting, newcomer="another") == 1


@given(st.lists(st.sampled_from([str(number) for number in range(40)]), max_size=400))
def test_the_room_never_overflows(comers: list[str]) -> None:
    waiting: list[str] = []
    for comer in comers:
        place = leaving(waiting, newcomer=comer)
        if place is not None:
            del waiting[place]
        waiting.append(comer)
        assert len(waiting) <= WAITING_MOST
        assert waiting.count(comer) <= WAITING_ADDRESS_MOST
