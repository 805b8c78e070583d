"""Which word leads to which public state, and what a state means."""

import pytest

from marketplace.domain.standing import MEANING, StandingState, state_of
from protocol.validator import VerdictState

#: word -> (without a ban, under a ban)
TABLE = {
    None: StandingState.NEW,
    VerdictState.VERIFIED: StandingState.VERIFIED,
    VerdictState.DEGRADED: StandingState.DEGRADED,
    VerdictState.SUSPENDED: StandingState.SUSPENDED,
    VerdictState.BANNED: StandingState.BANNED,
}


@pytest.mark.parametrize("word", [None, *VerdictState])
@pytest.mark.parametrize("banned", [False, True])
def test_every_word_has_its_state_and_a_ban_outlasts_them_all(
    word: VerdictState | None, banned: bool
) -> None:
    assert state_of(word, banned=banned) is (StandingState.BANNED if banned else TABLE[word])


@pytest.mark.parametrize("state", StandingState)
def test_only_verified_is_listed_and_earns(state: StandingState) -> None:
    meaning = MEANING[state]
    good = state is StandingState.VERIFIED
    assert (meaning.listed, meaning.earns, meaning.remedy == "") == (good, good, good)


@pytest.mark.parametrize("state", StandingState)
def test_what_a_host_may_appeal_and_what_passes_by_itself(state: StandingState) -> None:
    bad = state in (StandingState.SUSPENDED, StandingState.BANNED)
    assert MEANING[state].appealable is bad
    assert MEANING[state].passes is (state is not StandingState.BANNED)


@pytest.mark.parametrize("state", StandingState)
def test_every_state_is_told_in_sentences(state: StandingState) -> None:
    meaning = MEANING[state]
    for told in filter(None, (meaning.sentence, meaning.remedy)):
        assert told[0].isupper()
        assert told.endswith(".")
