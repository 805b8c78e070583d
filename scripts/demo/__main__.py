"""This will run the demo: ``python -m scripts.demo [--once] [--port 8000]``."""

import argparse
import signal
import sys
import threading
import time
from types import FrameType

from scripts import firewall_rules
from scripts.demo import leftovers
from scripts.demo.processes import Ended, Processes
from scripts.demo.programs import TREE, Place
from scripts.demo.step import StepFailed, say, step
from scripts.demo.story import Story
from scripts.docker_engine import engine

STATE = TREE / ".berth"


class Stopped(BaseException):
    """The person pressed Ctrl-C or the system asks the demo to end."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after the story and a clean end, 1 with the failed step named."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--once", action="store_true", help="stop after the story")
    parser.add_argument("--port", type=int, default=8000, help="of the web site on 127.0.0.1")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        return _with_engine(Place(STATE / "demo", options.port), once=options.once)
    except StepFailed as failed:
        say(f"Failed at: {failed}")
        say(f"The programs' logs are in {STATE / 'demo' / 'logs'}.")
        return 1


def _with_engine(place: Place, *, once: bool) -> int:
    began = time.monotonic()
    lent = engine(STATE / "docker")
    with step("Find or start a Docker Engine") as tell:
        tell(lent.__enter__())
    left: list[str] = []
    try:
        status = _with_programs(place, began, left, once=once)
    finally:
        _ignore_signals()
        with step("Stop what the demo started"):
            lent.__exit__(None, None, None)
        left += leftovers.on_machine(place.folder)
        for one in left:
            say(f"  left behind: {one}")
        if not left:
            say("Nothing is left behind: no container, process, network, rule or mount.")
    return status if not left else 1


def _with_programs(place: Place, began: float, left: list[str], *, once: bool) -> int:
    """Return the exit status; what the agent leaves in Docker is added to ``left``."""
    place.clear()
    rules_before = frozenset(firewall_rules.of_berth())
    processes = Processes(place.folder / "logs", place.environment())
    story = Story(place=place, processes=processes, began=began)
    try:
        story.tell_all()
        say(f"The story took {time.monotonic() - began:.1f} s.")
        if not once:
            _stay_up(place, story, processes)
    except Stopped:
        say("\nStopping.")
        return 0 if not once else 1
    except Ended as ended:
        say(str(ended))
        return 1
    finally:
        _ignore_signals()
        story.close()
        used = leftovers.in_docker(story.agent)
        processes.stop()
        now = leftovers.in_docker(story.agent)
        left += sorted(now.objects)
        left += leftovers.firewall(used.bridges, others=now.others, before=rules_before)
    return 0


def _stay_up(place: Place, story: Story, processes: Processes) -> None:
    """Keep the site open until Ctrl-C.

    :raises Ended: when one of the programs ends by itself.
    """
    say("")
    say(f"The site is up at {place.url}")
    for name, person in (("renter", story.renter), ("host", story.host)):
        say(f"  {name:<7} {person.email}   password {person.password}")
    say("Press Ctrl-C to end it and remove every trace.")
    waiting = threading.Event()
    while not waiting.wait(1):
        processes.check()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _ignore_signals() -> None:
    # A second Ctrl-C must not interrupt the cleaning; every part of it has its own deadline.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
