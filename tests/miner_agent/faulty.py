"""A machine of which a test may take away anything: agent, engine, power, disk, time.

Its engine and its agent share one small disk. One process forks its agents, so that a life begins
at once and ends whenever the test likes.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from miner_agent.home import JOURNAL
from protocol.receipts import check_chain
from scripts import mounts, subordinate_ids
from tests.miner_agent import images
from tests.miner_agent.host import REPOSITORY, Host
from tests.miner_agent.lab import IMAGE, OPTIONS, inside
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.own_engine import OwnEngine

DISK_BYTES = 768 << 20
BRIDGE = re.compile(r"\bberth-[0-9a-f]{8}\b")
#: networks that an agent keeps for the placements to come
POOL = 4
#: between what the engine and what the agent calls a start or an end
SLACK_MS = 700
LIVES = """
import logging, os, sys
from pathlib import Path
from miner_agent import cli, clock
told = Path(sys.argv[1])
def moved(name):
    honest = getattr(clock.MachineClock, name)
    return lambda self: honest(self) + int((told / name).read_text())
for name in ("boot_ms", "wall_ms"):
    setattr(clock.MachineClock, name, moved(name))
clock.BOOT_ID = told / "boot_id"
print(0, flush=True)
for _ in sys.stdin:
    life = os.fork()
    if life == 0:
        os._exit(cli.main(["run"]))
    print(life, flush=True)
    print(os.waitpid(life, 0)[1], flush=True)
"""


@dataclass
class Faulty:
    """The machine, its agents' lives and the witness of what its engine did."""

    folder: Path
    engine: OwnEngine
    host: Host
    clock: Path
    lives: subprocess.Popen[str]
    #: the process number of the agent that lives, 0: none does
    life: int = 0
    #: every container that its engine has told of
    _containers: set[str] = field(default_factory=set)
    _taken: list[Path] = field(default_factory=list)

    @property
    def market(self) -> LoopbackMarket:
        return self.host.market

    def begin(self) -> None:
        """Let an agent live."""
        assert self.lives.stdin is not None
        self.lives.stdin.write("\n")
        self.lives.stdin.flush()
        self.life = self._said()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the agent and return what the system says of its end."""
        os.kill(self.life, number)
        self.life = 0
        return self._said()

    def wait_for_sync(self) -> None:
        """Wait until the agent has done what the marketplace says by now."""
        with self.market.changed:
            self.market.revision += 1
            revision = self.market.revision
            self.market.changed.notify_all()
        self.market.wait_until(lambda: self.market.applied >= revision)

    def move(self, name: str, by_ms: int) -> None:
        """Let a clock of the machine jump."""
        part = self.clock / "part"
        part.write_text(str(int((self.clock / name).read_text()) + by_ms))
        part.replace(self.clock / name)

    def reboot(self) -> None:
        """Cut the power: whatever is not on the disk is gone."""
        self.end()
        self.engine.cut_power()
        mounts.unmount_below(self.host.home)
        (self.clock / "boot_id").write_text(str(uuid4()))
        self.engine.start()
        self.begin()

    def fill(self) -> None:
        """Take the last byte of the disk."""
        taken = self.folder / f"taken-{len(self._taken)}"
        self._taken.append(taken)
        with taken.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.folder).free)
        with taken.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass

    def make_room(self) -> None:
        """Give the disk back."""
        for taken in self._taken:
            taken.unlink()
        self._taken.clear()

    def left(self) -> list[str]:
        """Return what is on the machine though it has no placement any more."""
        home = self.host.home / "agent"
        found = self.engine.ask("ps", "-aq").stdout.split()
        found += [str(one) for one in mounts.below(home)]
        found += [
            str(one)
            for kept in ("disks", "volumes", "jobs")
            for one in (home / kept).rglob("*")
            if one.is_file()
        ]
        loops = subprocess.run(
            ["losetup", "-ln", "-O", "BACK-FILE"], capture_output=True, text=True
        )
        found += [line for line in loops.stdout.splitlines() if line.startswith(str(home))]
        names = self.engine.ask("network", "ls", "--format", "{{.Name}}").stdout.split()
        found += [name for name in names if name.startswith("berth-")][POOL:]
        groups = subprocess.check_output(["find", "/sys/fs/cgroup", "-type", "d"], text=True)
        found += [one for one in self._containers if one in groups]
        with contextlib.closing(sqlite3.connect(home / JOURNAL)) as journal:
            for table in ("placement", "claim", "interval", "volume", "attached"):
                found += map(str, journal.execute(f"SELECT * FROM {table}"))
        return found

    def rules(self) -> list[str]:
        """Return the agent's rules of the firewall but those of the networks that it keeps."""
        saved = subprocess.run(
            [*self.engine.inside(), "iptables-save"], capture_output=True, text=True, check=True
        )
        ours = [line for line in saved.stdout.splitlines() if "berth-" in line.lower()]
        return sorted(line for line in ours if not BRIDGE.search(line))

    def lived_ms(self, since: datetime) -> dict[UUID, int]:
        """Return how long the engine ran each placement, never twice at one moment."""
        told = self.engine.ask(
            *("events", "--since", since.isoformat(), "--until", datetime.now(tz=UTC).isoformat()),
            *("--filter", "type=container", "--format", "{{json .}}"),
        )
        running: dict[UUID, int] = {}
        lived: dict[UUID, int] = defaultdict(int)
        for event in map(json.loads, told.stdout.splitlines()):
            labels = event["Actor"]["Attributes"]
            if event["Action"] not in ("start", "die") or "berth.placement" not in labels:
                continue
            self._containers.add(event["id"])
            placement_id, at_ms = UUID(labels["berth.placement"]), event["timeNano"] // 1_000_000
            if event["Action"] == "start":
                assert placement_id not in running, f"{placement_id} runs twice"
                running[placement_id] = at_ms
            else:
                lived[placement_id] += at_ms - running.pop(placement_id)
        assert running == {}
        return lived

    def counted_ms(self, placement_id: UUID) -> int:
        """Return what the whole chain of a placement counts."""
        chain = self.market.chains.get(placement_id, [])
        return check_chain(chain) if chain else 0

    def kept_ms(self, placement_id: UUID) -> int:
        """Return up to which age of a run the agent has counted what it has told nobody yet."""
        question = (
            "SELECT MAX(json_extract(content, '$.interval.to_age_ms')) FROM interval"
            " WHERE placement = ?"
        )
        path = self.host.home / "agent" / JOURNAL
        with contextlib.closing(sqlite3.connect(path)) as journal:
            return journal.execute(question, (str(placement_id),)).fetchone()[0] or 0

    def _said(self) -> int:
        assert self.lives.stdout is not None
        line = self.lives.stdout.readline()
        assert line, (self.host.home / "agent.log").read_text()[-2000:]
        return int(line)


@contextlib.contextmanager
def faulty(folder: Path) -> Iterator[Faulty]:
    """Yield such a machine, its agent running; it has to be left empty."""
    with contextlib.ExitStack() as leaving:
        disk = leaving.enter_context(_disk())
        before = subordinate_ids.had()
        subordinate_ids.add()
        leaving.callback(subordinate_ids.remove_added, before)
        engine = OwnEngine(disk, *OPTIONS)
        leaving.callback(engine.remove)
        engine.start()
        images.make(IMAGE, engine=engine.address)
        with inside(engine):
            market = LoopbackMarket()
        leaving.callback(market.close)
        home = disk / "machine"
        home.mkdir()
        host = Host(home, market, image=IMAGE, network="10.218.0.0/24")
        host.inside = engine.inside()
        host.environment |= {
            "DOCKER_HOST": engine.address,
            "BERTH_AGENT_DISK_BYTES": str(400 << 20),
            "BERTH_AGENT_ALLOW_UNISOLATED": "0",
        }
        host.enroll()
        for name, text in {"boot_ms": "0", "wall_ms": "0", "boot_id": str(uuid4())}.items():
            (folder / name).write_text(text)
        machine = Faulty(disk, engine, host, folder, leaving.enter_context(_lives(host, folder)))
        leaving.callback(host.command, "uninstall")
        machine.begin()
        yield machine
        if machine.life:
            machine.end()


@contextlib.contextmanager
def _disk() -> Iterator[Path]:
    """Yield a folder with a small disk of its own."""
    # Not in pytest's folder: that is closed to the mapped root.
    folder = Path(tempfile.mkdtemp(prefix="berth-test-", dir="/var/tmp"))
    image = folder.with_suffix(".img")
    try:
        image.touch()
        os.truncate(image, DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
        folder.chmod(0o711)
        assert subordinate_ids.refusal(folder) is None
        yield folder
    finally:
        mounts.unmount_below(folder)
        folder.rmdir()
        image.unlink()


@contextlib.contextmanager
def _lives(host: Host, clock: Path) -> Iterator[subprocess.Popen[str]]:
    with (host.home / "agent.log").open("ab") as log:
        command = [*host.inside, sys.executable, "-c", LIVES, str(clock)]
        lives = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=host.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert lives.stdin is not None
    assert lives.stdout is not None
    try:
        assert lives.stdout.readline() == "0\n"
        yield lives
    finally:
        lives.stdin.close()
        lives.wait(timeout=60)
