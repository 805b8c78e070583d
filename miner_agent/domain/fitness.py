"""This will say whether a machine can take a workload at all, however much room it has."""

from miner_agent.domain.placement import Placement, keeps_disk
from miner_agent.domain.resources import disk_bytes
from protocol.agent import DesiredPlacement, Want


class Unfit(Exception):
    """The workload cannot run on this machine; ``code`` and the sentence reach the renter."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_fit(desired: DesiredPlacement) -> None:
    """Let through what could run on some machine.

    :raises Unfit: when it could run on none.
    """
    resources = desired.workload.resources
    if resources.ram.capacity < 1:
        # Docker reads nothing as no limit at all.
        raise Unfit("workload_refused", "It cannot run without memory: ask for some.")
    if resources.cpu.count < 1:
        raise Unfit("workload_refused", "It cannot run without a CPU core: ask for one.")
    if resources.hard_disk.capacity < 1:
        raise Unfit("workload_refused", "It cannot run without a disk: ask for some.")
    if disk_bytes(desired.workload) < 1:
        raise Unfit("workload_refused", "Its inputs fill its disk: ask for a larger one.")
    if desired.want is not Want.RUN:
        # What is stopped has given its GPUs back.
        return
    named = set(desired.gpu_uuids)
    if len(named) != len(desired.gpu_uuids) or len(named) != resources.gpu.count:
        raise Unfit("start_failed", "The number of GPUs differs from the list of GPUs.")


def check_change(placement: Placement, desired: DesiredPlacement) -> None:
    """Let through what a placement can become.

    :raises Unfit: when it has to be another placement, or begin anew.
    """
    workload = desired.workload
    if workload.kind is not placement.kind:
        raise Unfit("workload_refused", "It cannot become another kind: rent anew.")
    current = placement.current
    if current is None:
        return
    wished = placement.model_copy(update={"workload": workload, "resets": desired.resets})
    size = current.workload.resources.hard_disk.capacity
    if keeps_disk(wished) and workload.resources.hard_disk.capacity != size:
        message = "A disk that keeps its files keeps its size: reset it too, or change the image."
        raise Unfit("workload_refused", message)
