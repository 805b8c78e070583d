"""This will take in what a machine says about its volumes."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from marketplace.domain.matching import Slice
from marketplace.machines.actions import desire, reserve
from marketplace.volumes.models import Volume
from protocol.agent import ObservedVolume
from protocol.workload import VolumeState

logger = logging.getLogger(__name__)


def observe(*, told: Mapping[UUID, Sequence[ObservedVolume]], now: datetime) -> None:
    """Note, by machine, which volumes are there, could not be made, or are gone.

    The same report twice changes nothing, and nobody's report concerns another machine's. Call it
    in the transaction that locked the machines.
    """
    ids = [one.volume_id for observed in told.values() for one in observed]
    if not ids:
        return
    known = {volume.id: volume for volume in Volume.objects.filter(id__in=ids).order_by("id")}
    for machine_id, observed in told.items():
        for one in observed:
            volume = known.get(one.volume_id)
            if volume is not None and volume.machine_id == machine_id:
                _observe_one(volume, one, now)


def _observe_one(volume: Volume, one: ObservedVolume, now: datetime) -> None:
    if one.state == VolumeState.GONE:
        if volume.removed_at is not None:
            _forget(volume)
    elif one.state == VolumeState.REFUSED and one.problem is not None:
        if volume.problem_code != one.problem.code:
            _write(volume, problem_code=one.problem.code, problem=one.problem.message)
    elif one.state == VolumeState.READY and (volume.ready_at is None or volume.problem_code):
        _write(volume, ready_at=volume.ready_at or now, problem_code="", problem="")


def _write(volume: Volume, **columns: object) -> None:
    Volume.objects.filter(id=volume.id).update(**columns)


def _forget(volume: Volume) -> None:
    deleted, _ = Volume.objects.filter(id=volume.id).delete()
    if deleted:
        disk = Slice(cpus=0, memory_bytes=0, disk_bytes=volume.size_bytes)
        reserve.release(machine_id=volume.machine_id, held=disk)
        desire.bump(machine_id=volume.machine_id)
        logger.info("Volume gone", extra={"volume_id": volume.id, "machine": volume.machine_id})
