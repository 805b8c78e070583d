"""From scores to shares by hotkey to weights by uid."""

from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.validator import MachineScore
from tests.validator.builders import ALICE, BOB
from validator.domain.weights import (
    U16_MAX,
    Burn,
    BurnTargetUnknown,
    NothingToSet,
    plan,
    share_by_hotkey,
)

OWNER = "owner-hotkey"
UIDS = {OWNER: 0, ALICE: 3, BOB: 5}
HALVES = {ALICE: Fraction(1, 2), BOB: Fraction(1, 2)}


def scored(hotkey: str, points_micro: int, number: int = 1) -> MachineScore:
    return MachineScore(
        machine_id=UUID(int=number),
        miner_hotkey=hotkey,
        points_micro=points_micro,
        factors_ppm={},
    )


def test_a_miners_share_is_the_sum_over_its_machines() -> None:
    scores = [scored(ALICE, 1), scored(ALICE, 2), scored(BOB, 1), scored("", 9), scored("C", 0)]
    assert share_by_hotkey(scores) == {ALICE: Fraction(3, 4), BOB: Fraction(1, 4)}


def test_nobody_with_points_gives_no_share() -> None:
    assert share_by_hotkey([scored(ALICE, 0)]) == {}


def test_shares_go_to_the_uids_of_now_and_the_missing_are_named() -> None:
    planned = plan(share_by_hotkey=HALVES, uid_by_hotkey={BOB: 9}, burn=Burn())
    assert planned.share_by_uid == {9: 1}
    assert planned.missing == (ALICE,)


@pytest.mark.parametrize("to", ["owner", "0", OWNER])
def test_the_burn_share_goes_to_the_owner_a_uid_or_a_hotkey(to: str) -> None:
    planned = plan(
        share_by_hotkey=HALVES, uid_by_hotkey=UIDS, burn=Burn(to, 800_000), owner_hotkey=OWNER
    )
    assert planned.share_by_uid == {0: Fraction(4, 5), 3: Fraction(1, 10), 5: Fraction(1, 10)}
    assert planned.weight_by_uid == {0: 65_535, 3: 8_192, 5: 8_192}


@pytest.mark.parametrize("to", ["owner", "7", "5Gone", ""])
def test_nothing_is_burned_to_somebody_who_is_not_there(to: str) -> None:
    uids = {ALICE: 3}
    with pytest.raises(BurnTargetUnknown, match="BERTH_VALIDATOR_BURN_TO"):
        plan(share_by_hotkey=HALVES, uid_by_hotkey=uids, burn=Burn(to, 1), owner_hotkey=OWNER)


def test_who_would_get_the_burn_share_need_not_exist_without_one() -> None:
    planned = plan(share_by_hotkey=HALVES, uid_by_hotkey={ALICE: 3}, burn=Burn())
    assert planned.share_by_uid == {3: 1}


def test_a_burn_uid_that_also_earns_gets_both() -> None:
    planned = plan(share_by_hotkey=HALVES, uid_by_hotkey=UIDS, burn=Burn("3", 500_000))
    assert planned.share_by_uid == {3: Fraction(3, 4), 5: Fraction(1, 4)}


def test_when_nobody_scored_all_is_burned_on_request() -> None:
    burn = Burn("0", 100_000, when_nobody=True)
    assert plan(share_by_hotkey={}, uid_by_hotkey=UIDS, burn=burn).weight_by_uid == {0: U16_MAX}


def test_when_nobody_scored_nothing_is_set_otherwise() -> None:
    with pytest.raises(NothingToSet, match="older weights stand"):
        plan(share_by_hotkey={}, uid_by_hotkey=UIDS, burn=Burn("0", 100_000))


def test_a_full_burn_leaves_no_zero_weights() -> None:
    planned = plan(share_by_hotkey=HALVES, uid_by_hotkey=UIDS, burn=Burn("0", 1_000_000))
    assert planned.weight_by_uid == {0: U16_MAX}


def test_all_zero_weights_are_never_planned() -> None:
    with pytest.raises(NothingToSet):
        plan(share_by_hotkey={ALICE: Fraction(1)}, uid_by_hotkey={}, burn=Burn())


@given(
    st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(1, 10**12), min_size=1),
    st.integers(0, 1_000_000),
    st.integers(0, 9),
)
def test_shares_always_sum_to_one_and_weights_keep_their_order(
    points: dict[str, int], share_ppm: int, burn_uid: int
) -> None:
    shares = share_by_hotkey([scored(hotkey, micro) for hotkey, micro in points.items()])
    uids = {hotkey: uid for uid, hotkey in enumerate("ABCDEFGHIJ")}
    burn = Burn(str(burn_uid), share_ppm)
    planned = plan(share_by_hotkey=shares, uid_by_hotkey=uids, burn=burn)
    assert sum(planned.share_by_uid.values()) == 1
    weights = planned.weight_by_uid
    assert max(weights.values()) == U16_MAX
    ordered = sorted(planned.share_by_uid, key=lambda uid: planned.share_by_uid[uid])
    assert [weights.get(uid, 0) for uid in ordered] == sorted(
        weights.get(uid, 0) for uid in ordered
    )
