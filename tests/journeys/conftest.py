"""One running market for all journeys, and Alice with money and a key."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.demo import image
from tests.journeys.stack import Stack, until
from tests.miner_agent.host import run_once_open


@dataclass
class Renter:
    """Alice, who rents by the API and logs in with the system's ssh."""

    stack: Stack
    key: str
    identity: Path

    def rent(self, **changed: Any) -> str:
        """Start a small rental and return its id."""
        offer = self.stack.call("GET", "/offers?verified=false")["items"][0]
        body = {
            "offer_id": offer["id"],
            "image": image.NAME,
            "resources": {
                "cpu": {"count": 1},
                "gpu": {"count": 0},
                "ram": {"capacity": 256 << 20},
                "hard_disk": {"capacity": 512 << 20},
            },
            "lease_s": 3600,
        }
        return str(self.stack.call("POST", "/rentals", self.key, body | changed)["id"])

    def see(self, rental_id: str) -> Any:
        """Return the rental as the API shows it."""
        return self.stack.call("GET", f"/rentals/{rental_id}", self.key)

    def wait(self, rental_id: str, *states: str) -> Any:
        """Return the rental once it is in one of these states."""

        def look() -> Any:
            seen = self.see(rental_id)
            return seen if seen["state"] in states else None

        return until(look, f"{rental_id} becomes {states}")

    def ask_to_end(self, rental_id: str) -> None:
        """Ask for the rental's end."""
        self.stack.call("POST", f"/rentals/{rental_id}/end", self.key)

    def end(self, rental_id: str) -> Any:
        """End the rental and return it once it ended."""
        self.ask_to_end(rental_id)
        return self.wait(rental_id, "ended", "failed")

    def ssh(self, rental: Any, command: str) -> str:
        """Run a command in the rental through OpenSSH, its host key pinned."""
        door = rental["ssh"]
        known = self.identity.with_name("known_hosts")
        known.write_text(f"[{door['host']}]:{door['port']} {door['host_key']}\n")
        done = run_once_open(
            [
                *("ssh", "-F", "/dev/null", "-i", str(self.identity), "-p", str(door["port"])),
                *("-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"),
                *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
                *(f"{door['user']}@{door['host']}", command),
            ]
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    image.make()
    stack = Stack(tmp_path_factory.mktemp("journeys"), network=f"10.214.{os.getpid() % 250}.0/24")
    try:
        stack.open()
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def renter(stack: Stack) -> Renter:
    identity = stack.folder / "alice"
    stack.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity))
    key = stack.log_in("alice@example.com")
    public = identity.with_suffix(".pub").read_text()
    stack.call("POST", "/ssh-keys", key, {"name": "alice", "public_key": public})
    stack.call("POST", "/top-ups", key, {"amount_microusd": 100_000_000})
    return Renter(stack, key, identity)
