"""This will remove what an agent of the demo made, also when it or a whole demo was killed."""

from scripts import mounts
from scripts.demo import leftovers, programs
from scripts.demo.processes import Processes
from scripts.demo.programs import Place
from scripts.ending import end
from scripts.step import step

STOP_S_MAX = 20
UNINSTALL_S_MAX = 90


def remove(place: Place) -> None:
    """Remove what an earlier demo in ``place`` left when it was killed; most left nothing.

    :raises StepFailed: when that can't be done: this demo would leave it behind for good.
    """
    if not place.running.exists():
        return
    with step("Remove what a demo that was killed left behind"):
        # A killed demo's programs end by themselves, but perhaps not yet.
        for process_id in leftovers.processes_of(place.folder):
            end(process_id, within_s=STOP_S_MAX)
        uninstall_agent(place, Processes(place.logs, place.environment()))


def uninstall_agent(place: Place, processes: Processes) -> None:
    """Let the agent remove all that it made where it could not do so when it ended.

    :raises Ended: when it can't.
    """
    if (place.agent_home / "machine_key").exists() and place.running.exists():
        agent = programs.python("miner_agent", "uninstall")
        processes.run(*agent, within_s=UNINSTALL_S_MAX)
    mounts.unmount_below(place.folder)
    place.running.unlink(missing_ok=True)
