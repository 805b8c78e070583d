"""This will run the whole of Berth as its own processes, each of which a test may kill."""

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bittensor_core
import httpx

from tests.journeys.books import Books, Witness, disks_left, unproven
from tests.journeys.relay import Relay
from tests.migrated import copy_migrated
from tests.miner_agent.host import maps_users
from tests.miner_agent.registry import Registry
from tests.nursery import Life, Nursery
from tests.ports import free_port, free_ports

logging.getLogger("httpx").setLevel(logging.WARNING)
PASSWORD = "correct horse battery"
VALIDATOR = "//Alice"
#: longer than a call of Docker that is given up and made again
WAIT_S = 180


def until(look: Callable[[], Any], what: str, *, within_s: float = WAIT_S) -> Any:
    """Return the first truthy thing that ``look`` finds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"Not within {within_s:.0f} s: {what}")


def until_empty(look: Callable[[], Any], *, within_s: float = WAIT_S) -> None:
    """Return once ``look`` finds nothing; fail with what it found last."""
    deadline = time.monotonic() + within_s
    while found := look():
        assert time.monotonic() < deadline, f"Still there after {within_s:.0f} s: {found}"
        time.sleep(0.05)


class Stack:
    """Web site, scheduler, agent, validator and gateway over one SQLite database."""

    def __init__(self, folder: Path, *, network: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.gateway_port = free_port()
        self.books = Books(folder / "berth.sqlite3")
        relay_port = free_port()
        self.relay = Relay(port=relay_port, site_port=self.port, heard_at=self.books.heard_at)
        self.registry = Registry()
        first = free_ports(20)
        self.environment = os.environ | {
            "BERTH_DATA_DIR": str(folder),
            "BERTH_PUBLIC_URL": self.url,
            "BERTH_GATEWAY_URL": f"http://127.0.0.1:{self.gateway_port}",
            "BERTH_MARKETPLACE_URL": f"http://127.0.0.1:{relay_port}",
            "BERTH_AGENT_HOME": str(folder / "agent"),
            "BERTH_AGENT_CONTROL_PORT": str(free_port()),
            "BERTH_AGENT_PORTS": f"{first}-{first + 19}",
            "BERTH_AGENT_DISK_BYTES": str(8 << 30),
            "BERTH_AGENT_NETWORK": network,
            "BERTH_AGENT_IMAGES": f"berth/base:1 {self.registry.name}/*",
            "BERTH_AGENT_ALLOW_UNISOLATED": "0" if maps_users() else "1",
            "BERTH_VALIDATOR_HOTKEY_SEED": VALIDATOR,
            "BERTH_VALIDATOR_SSH_KEY": str(folder / "validator_key"),
            "BERTH_VALIDATOR_ALLOW_PRIVATE": "1",
            "BERTH_VALIDATOR_INTERVAL_S": "1",
            "BERTH_MEMORY_CHAIN": str(folder / "chain.json"),
            "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        }
        self.environment.pop("BERTH_DATABASE_URL", None)
        self.nursery = Nursery("tests.journeys.loaded", environment=self.environment)
        self.processes: dict[str, Life] = {}
        self.machine_key = ""
        self.witness: Witness | None = None
        self.client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=WAIT_S)

    def manage(self, *arguments: str, told: str = "") -> str:
        """Run manage.py to its end, tell it a line, and return what it wrote."""
        return self.python("manage.py", *arguments, told=told)

    def python(self, *words: str, told: str = "") -> str:
        """Run one of our programs to its end, tell it a line, and return what it wrote."""
        done = self.nursery.run(words, environment=self.environment, told=told, within_s=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def logs(self) -> list[Path]:
        """What the programs wrote."""
        return list(self.folder.glob("*.log"))

    def run(self, *command: str) -> str:
        """Run a command and return what it wrote."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str) -> None:
        """Start one of the programs."""
        listen = ("--port", str(self.port), "--log-level", "warning", "--lifespan", "on")
        programs: Mapping[str, tuple[str, ...]] = {
            "web": ("-m", "uvicorn", "marketplace.asgi:application", *listen),
            "scheduler": ("-m", "tests.journeys.scheduler"),
            "agent": ("-m", "miner_agent", "run", "--ephemeral"),
            "validator": ("manage.py", "run_validator"),
            "gateway": ("manage.py", "run_gateway", "--port", str(self.gateway_port)),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = self.nursery.begin(
                programs[name], environment=self.environment, writes=log, complains=log
            )

    def kill(self, *names: str) -> None:
        """End some of the programs as a power cut would."""
        killed = [self.processes.pop(name) for name in names]
        for process in killed:
            process.send_signal(signal.SIGKILL)
        for process in killed:
            process.wait(timeout=60)

    def open(self) -> None:
        """Bring the market up to its first verified offer."""
        copy_migrated(self.folder / "berth.sqlite3")
        self.manage("create_account", "host@example.com", told=PASSWORD)
        self.manage("create_account", "alice@example.com", told=PASSWORD)
        hotkey = bittensor_core.Keypair.create_from_uri(VALIDATOR).ss58_address
        self.manage("add_validator", hotkey, "--name", "journeys")
        self.relay.open()
        self.start("web")
        self.start("scheduler")
        until(self.site_answers, "the site answers")
        host = self.log_in("host@example.com")
        token = self.call("POST", "/host/enrolment-tokens", host)["token"]
        self.python("-m", "miner_agent", "enroll", told=token)
        self.machine_key = self.call("GET", "/host/machines", host)["items"][0]["machine_key"]
        self.witness = Witness(self.machine_key[:12])
        self.start("agent")
        self.start("validator")
        until(lambda: self.call("GET", "/offers")["items"], "a verified offer")

    def close(self) -> None:
        """End everything; the agent removes what it made."""
        agent = self.processes.get("agent")
        if agent is not None:
            agent.terminate()
            agent.wait(timeout=60)
        for process in self.processes.values():
            process.kill()
            process.wait(timeout=60)
        if self.witness is not None:
            self.witness.close()
        self.relay.close()
        self.registry.close()
        self.client.close()
        self.nursery.close()

    def log_in(self, email: str) -> str:
        """Return a new API key of this person."""
        body = {"email": email, "password": PASSWORD, "name": "journey"}
        return str(self.call("POST", "/auth/key", body=body)["key"])

    def call(
        self, method: str, path: str, key: str = "", body: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the REST API and return its JSON."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        reply = self.client.request(method, path, headers=headers, json=body)
        assert reply.status_code < 400, f"{reply.status_code} {reply.text}"
        return json.loads(reply.text) if reply.text else None

    def containers(self) -> list[str]:
        """Return the names of this machine's containers, running or not."""
        label = f"berth.machine={self.machine_key[:12]}"
        return self.run(
            "docker", "ps", "-a", "--filter", f"label={label}", "--format", "{{.Names}}"
        ).split()

    def left_over(self) -> object:
        """Return what the site or the machine still holds for anybody; empty: nothing at all."""
        folder = self.folder / "agent"
        return self.books.left_over() or self.containers() or disks_left(folder)

    def everything_is_given_back(self) -> None:
        """See that nothing is held on either side and nothing was billed that did not run."""
        until_empty(self.left_over)
        assert self.witness is not None
        assert unproven(self.books.billed(), self.witness) == []

    def gateway_answers(self) -> bool:
        """Say whether the gateway serves."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.gateway_port}/").status_code == 404
        except httpx.HTTPError:
            return False

    def site_answers(self) -> bool:
        """Say whether the web process serves."""
        try:
            return self.client.get("/offers").status_code == 200
        except httpx.HTTPError:
            return False
