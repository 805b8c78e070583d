"""This will run the demo: ``python -m scripts.demo [--once] [--port 8000]``."""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from scripts import firewall_rules
from scripts.demo import earlier, free, image, leftovers
from scripts.demo.processes import Ended, Processes
from scripts.demo.programs import TREE, Place
from scripts.demo.story import Story
from scripts.docker_engine import engine
from scripts.lock import Locked, locked
from scripts.step import StepFailed, say, step

#: Ctrl-C, the system, a closed terminal
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The person or the system asks the demo to end."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after the story and a clean end, 1 with the failed step named."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--once", action="store_true", help="stop after the story")
    parser.add_argument("--port", type=int, default=8000, help="of the web site on 127.0.0.1")
    parser.add_argument("--state", type=Path, default=TREE / ".berth", help="where it keeps all")
    options = parser.parse_args(arguments)
    for number in STOPPING:
        signal.signal(number, _stop)
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    place = Place(state / "demo", options.port)
    try:
        with locked(state):
            return _with_engine(place, state / "docker", once=options.once)
    except Locked:
        say("Another demo runs in this tree; end it with Ctrl-C first.")
    except StepFailed as failed:
        say(f"Failed at: {failed}")
        if place.logs.exists():
            say(f"The programs' logs are in {place.logs}.")
    except Stopped:
        say("\nStopped.")
    return 1


def _with_engine(place: Place, images: Path, *, once: bool) -> int:
    began = time.monotonic()
    with step("Look whether the demo can run here"):
        free.refuse_taken(place.port)
        free.refuse_full(images.parent)
    lent = engine(images)
    with step("Find or start a Docker Engine") as tell:
        tell(lent.__enter__())
    found = leftovers.Found()
    try:
        status = _with_programs(place, began, found, once=once)
    finally:
        _ignore_signals()
        with step("Stop what the demo started"):
            lent.__exit__(None, None, None)
        # Only now: an own engine takes its rules along.
        left = found.left(place.folder)
        for one in left:
            say(f"  left behind: {one}")
        if not left:
            say("Nothing is left behind: no container, process, network, rule or mount.")
    return status if not left else 1


def _with_programs(place: Place, began: float, found: leftovers.Found, *, once: bool) -> int:
    """Return the exit status; what the agent leaves goes into ``found``."""
    earlier.remove(place)
    place.clear()
    found.rules_before = frozenset(firewall_rules.of_berth())
    processes = Processes(place.logs, place.environment())
    story = Story(place=place, processes=processes, began=began)
    try:
        story.tell_all()
        say(f"The story took {time.monotonic() - began:.1f} s.")
        if not once:
            story.invite_operator()
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
        found.used = leftovers.in_docker(story.hosting.agent)
        processes.stop()
        try:
            earlier.uninstall_agent(place, processes)
        except Ended as failed:
            found.problems.append(f"what the agent made: {failed}")
        found.now = leftovers.in_docker(story.hosting.agent)
    return 0


def _stay_up(place: Place, story: Story, processes: Processes) -> None:
    """Keep the site open until Ctrl-C.

    :raises Ended: when one of the programs ends by itself.
    :raises Stopped: when the terminal is closed.
    """
    terminal = sys.stdout.isatty()
    say("")
    say(f"The site is up at {place.url}")
    for name, person in story.people().items():
        say(f"  {name:<9} {person.email:<28} password {person.password}")
    say(f"The operator's pages are at {place.url}/console/, once they have a second step")
    say("To rent from another terminal, in this folder:")
    for line in renting(place.url, story.renter.email):
        say(f"  {line}")
    say("Press Ctrl-C to end it and remove every trace.")
    waiting = threading.Event()
    while not waiting.wait(1):
        processes.check()
        # make may be all that hears of a closed terminal, and it waits for us.
        if terminal and not sys.stdout.isatty():
            raise Stopped


def renting(url: str, email: str) -> tuple[str, ...]:
    """Return what a person types to rent this machine; the set-up put ``berth`` into ``.venv``."""
    asked = f"--cheapest --image {image.NAME} --cpus 1 --lease 1h --wait"
    return (
        f".venv/bin/berth login --url {url} --email {email}",
        ".venv/bin/berth keys add ~/.ssh/id_ed25519.pub",
        f".venv/bin/berth up {asked}",
    )


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _ignore_signals() -> None:
    # A second Ctrl-C must not interrupt the cleaning; every part of it has its own deadline.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
