"""What becomes of a volume when the marketplace speaks of it, or does not."""

from uuid import uuid4

import pytest

from miner_agent.domain.volume import Volume, after, observed
from protocol.agent import Problem
from protocol.workload import DesiredVolume, VolumeState

SIZE = 1 << 20
ONE = uuid4()
LOST = Problem(code="volume_lost", message="It is lost.")


def volume(**changes: object) -> Volume:
    return Volume(volume_id=ONE, size_bytes=SIZE).model_copy(update=changes)


def desired(*, remove: bool = False, volume_id=ONE) -> DesiredVolume:
    return DesiredVolume(volume_id=volume_id, size_bytes=SIZE, remove=remove)


def test_a_new_volume_is_to_be_made() -> None:
    assert after({}, [desired()], free_bytes=SIZE) == {ONE: volume()}
    assert observed([volume()]) == ()


def test_one_that_does_not_fit_is_refused_and_takes_nothing() -> None:
    (refused,) = after({}, [desired()], free_bytes=SIZE - 1).values()
    assert refused is not None
    assert (refused.state, refused.reserved_bytes) == (VolumeState.REFUSED, 0)
    (told,) = observed([refused])
    assert told.problem is not None
    assert told.problem.code == "no_capacity"


def test_two_new_ones_share_what_is_free() -> None:
    both = after({}, [desired(), desired(volume_id=uuid4())], free_bytes=2 * SIZE - 1)
    assert [one.state for one in both.values() if one] == [None, VolumeState.REFUSED]


def test_one_that_is_removed_before_it_was_known_is_gone_without_room() -> None:
    (new,) = after({}, [desired(remove=True)], free_bytes=0).values()
    assert new == volume(remove=True)


@pytest.mark.parametrize("state", [None, *VolumeState])
@pytest.mark.parametrize("remove", [True, False])
def test_the_word_to_remove_is_never_taken_back(state: VolumeState | None, remove: bool) -> None:
    known = volume(state=state, remove=remove)
    assert after({ONE: known}, [desired()], free_bytes=0) == {}
    told = after({ONE: known}, [desired(remove=True)], free_bytes=0)
    assert told == ({} if remove else {ONE: known.model_copy(update={"remove": True})})


@pytest.mark.parametrize(
    ("known", "forgotten"),
    [
        (volume(), False),
        (volume(state=VolumeState.READY, whole=True), False),
        (volume(state=VolumeState.READY, whole=True, remove=True), False),
        (volume(state=VolumeState.REFUSED, whole=True, problem=LOST), False),
        (volume(state=VolumeState.REFUSED), True),
        (volume(state=VolumeState.REFUSED, remove=True), False),
        (volume(state=VolumeState.GONE, remove=True), True),
    ],
)
def test_silence_forgets_only_what_is_not_here(known: Volume, forgotten: bool) -> None:
    assert after({ONE: known}, [], free_bytes=0) == ({ONE: None} if forgotten else {})
