"""One word of many, weighed by stake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.quorum import ORDER, Word, decide, stands_until_ms
from protocol.validator import VerdictState

GOOD, WEAK, BAD, BANNED = ORDER
STATES = st.sampled_from(ORDER)
STAKES = st.integers(min_value=0, max_value=10**15)
WORDS = st.lists(
    st.builds(Word, state=STATES, stake=STAKES, expires_at_ms=st.integers(1, 9)), max_size=7
)


def said(*words: tuple[VerdictState, int]) -> VerdictState | None:
    return decide(Word(state, stake) for state, stake in words)


@pytest.mark.parametrize("state", ORDER)
def test_one_validator_alone_decides(state: VerdictState) -> None:
    assert said((state, 1)) is state


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ((), None),
        (((GOOD, 0),), None),
        (((GOOD, 51), (BAD, 49)), GOOD),
        # Exactly half is no more than half: nobody is listed on a draw.
        (((GOOD, 50), (BAD, 50)), BAD),
        (((GOOD, 50), (WEAK, 1), (BAD, 49)), WEAK),
        (((GOOD, 34), (WEAK, 33), (BAD, 33)), WEAK),
        (((BANNED, 67), (GOOD, 33)), BANNED),
        # Two thirds are not more than two thirds.
        (((BANNED, 2), (GOOD, 1)), BAD),
        (((BANNED, 50), (GOOD, 50)), BAD),
        (((BANNED, 40), (GOOD, 60)), GOOD),
        (((GOOD, 0), (BAD, 1)), BAD),
    ],
)
def test_examples(words: tuple[tuple[VerdictState, int], ...], state: VerdictState | None) -> None:
    assert said(*words) is state


@given(WORDS, st.randoms(use_true_random=False))
def test_the_order_in_which_they_spoke_does_not_matter(words: list[Word], chance: object) -> None:
    shuffled = list(words)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(shuffled) is decide(words)


@given(WORDS, st.booleans())
def test_a_minority_of_stake_can_neither_list_nor_unlist(words: list[Word], listed: bool) -> None:
    minority = sum(word.stake for word in words)
    majority = Word(GOOD if listed else BAD, minority + 1)
    assert (decide([*words, majority]) is GOOD) is listed


@given(WORDS)
def test_two_thirds_of_the_stake_are_no_ban(words: list[Word]) -> None:
    against = sum(word.stake for word in words if word.state is not BANNED)
    banning = sum(word.stake for word in words if word.state is BANNED)
    if banning <= 2 * against:
        assert decide(words) is not BANNED


@given(WORDS, STAKES)
def test_one_more_who_agrees_changes_nothing(words: list[Word], stake: int) -> None:
    decided = decide(words)
    if decided is not None:
        assert decide([*words, Word(decided, stake)]) is decided


@given(WORDS, st.integers(1, 9))
def test_expiry_only_removes_words_and_is_foretold(words: list[Word], now_ms: int) -> None:
    standing = [word for word in words if word.expires_at_ms > now_ms]
    until_ms = stands_until_ms(standing)
    assert (until_ms is None) is (decide(standing) is None)
    if until_ms is None:
        return
    for moment in range(now_ms, until_ms):
        left = [word for word in standing if word.expires_at_ms > moment]
        assert decide(left) is decide(standing)
    after = [word for word in standing if word.expires_at_ms > until_ms]
    assert decide(after) is not decide(standing)


@given(WORDS, st.integers(0, 6), STATES)
def test_a_better_word_never_makes_it_worse(words: list[Word], which: int, state: object) -> None:
    if which >= len(words):
        return
    word = words[which]
    better = Word(min(word.state, VerdictState(str(state)), key=ORDER.index), word.stake)
    before, after = decide(words), decide([*words[:which], better, *words[which + 1 :]])
    if before is not None and after is not None:
        assert ORDER.index(after) <= ORDER.index(before)
