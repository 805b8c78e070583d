"""What is told at once, what only after it went on for long, and none of the host's own paths."""

from uuid import UUID

import pytest

from miner_agent.command import CommandFailed
from miner_agent.disk import DiskFailed
from miner_agent.domain.placement import Placement
from miner_agent.engine import EngineRefused
from miner_agent.gpu_access import GpuUnavailable
from miner_agent.refusals import refusals
from miner_agent.retries import reason
from miner_agent.runtime import CannotRun
from miner_agent.volumes import VolumeInUse, VolumeUnknown
from protocol.agent import ObservedState, Want
from protocol.workload import Workload
from tests.miner_agent.world import resources

PLACEMENT = Placement(
    placement_id=UUID(int=1),
    want=Want.RUN,
    state=ObservedState.PREPARING,
    workload=Workload(image="i", resources=resources()),
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineRefused("exec: /srv/nope: no such file or directory"), "command_unknown"),
        (GpuUnavailable("nvidia-container-cli: /srv/driver: failed"), "gpu_unavailable"),
        (VolumeUnknown("This machine does not have the volume."), "volume_unknown"),
        (VolumeInUse("The volume is in use by another placement."), "volume_in_use"),
        (PermissionError("/srv/berth/doors"), "start_failed"),
    ],
)
def test_what_no_other_try_would_change_is_told_at_once(error: Exception, code: str) -> None:
    with pytest.raises(CannotRun) as refused, refusals():
        raise error
    assert refused.value.code == code
    assert "/srv" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineRefused("mounting /srv/berth/kit: device or resource busy"), "start_failed"),
        (EngineRefused("the container ended at once"), "start_failed"),
        (DiskFailed("mkfs.ext4: /srv/berth/disks: failed"), "no_capacity"),
        (CommandFailed("mount: /srv/berth/volumes: failed"), "start_failed"),
    ],
)
def test_what_may_be_over_at_the_next_try_is_tried_again(error: Exception, code: str) -> None:
    with pytest.raises(type(error)) as passed, refusals():
        raise error
    told, sentence = reason(PLACEMENT, passed.value)
    assert told == code
    assert "/srv" not in sentence
