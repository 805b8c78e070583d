"""The demo tells its story, and leaves nothing behind however it or one of its programs ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts import mounts
from scripts.demo import free, leftovers
from tests.architecture.sources import TREE

TOLD_S = 600


#: what the steps about money say once they have reckoned it up, or were refused
MONEY = (
    "visa 4242, 12/2030: $50.00 paid",
    "720 h x $2.88 = $2,073.60 instead of $2,592.00",
    "Others bid as much; bids from $",
    "its file still says: half of the work",
    'its program had read in /run/berth/notice: {"reason": "outbid"',
    ": all its time",
    "your limit of $",
    "signed intervals prove",
    "$0.02 of credit, the rest money",
    "paid to the host's bank",
    "/renter/INV-",
    "/renter/RCT-",
    "and sum to zero.",
)


@dataclass
class Demo:
    """One demo at a time, in a folder of its own."""

    state: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, port: int | None = None) -> subprocess.Popen[str]:
        """Start a demo whose lines can be read."""
        where = ("--state", str(self.state), "--port", str(port or free.port()))
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.demo", *where, *words],
            cwd=TREE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        return process

    def tell(self, *words: str, port: int | None = None) -> tuple[int, str]:
        """Run a demo to its end and return its exit status and all that it said."""
        process = self.start(*words, port=port)
        said, _ = process.communicate(timeout=TOLD_S)
        return process.returncode, said

    def programs(self) -> dict[int, str]:
        """Return the demo's running programs by process number."""
        return leftovers.processes_of(self.state / "demo")

    def agent(self) -> int:
        """Return the process number of the agent."""
        (number,) = (each for each, words in self.programs().items() if "miner_agent run" in words)
        return number


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "state")
    yield demo
    for process in demo.running:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=TOLD_S)


def read_until(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if wanted in line:
            return
    pytest.fail(f"{wanted!r} was never said:\n{''.join(said)}")


def containers() -> set[str]:
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "label=berth.machine"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.split())


def test_a_run_after_a_power_cut_removes_what_was_left_and_tells_the_whole_story(
    demo: Demo,
) -> None:
    before = containers()
    cut = demo.start()
    read_until(cut, "rented in")
    assert containers() - before
    for number in (demo.agent(), cut.pid):
        os.kill(number, signal.SIGKILL)
    cut.wait(60)

    status, said = demo.tell("--once")

    assert status == 0, said
    assert "✓ Remove what a demo that was killed left behind" in said
    assert "✓ Score the machine and show the weights it would get" in said
    assert [told for told in MONEY if told not in said] == []
    assert "Nothing is left behind" in said
    assert containers() <= before
    assert mounts.below(demo.state) == []
    assert demo.programs() == {}


def test_a_second_demo_in_the_tree_is_refused_and_a_killed_agent_s_step_is_named(
    demo: Demo,
) -> None:
    before = containers()
    first = demo.start("--once")
    read_until(first, "Start the agent")

    assert demo.tell("--once") == (1, "Another demo runs in this tree; end it with Ctrl-C first.\n")
    os.kill(demo.agent(), signal.SIGKILL)
    said, _ = first.communicate(timeout=TOLD_S)

    assert first.returncode == 1
    assert "agent ended (-9)" in said
    assert "\nFailed at: " in said
    assert "Nothing is left behind" in said
    assert containers() <= before


def test_a_port_in_use_is_refused_before_anything_is_started(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        status, said = demo.tell("--once", port=port)

    assert status == 1
    assert f"port {port} is in use" in said
    assert not (demo.state / "docker").exists()
