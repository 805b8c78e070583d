"""This will name the demo's programs, their settings and where they keep things."""

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import bittensor_core

from scripts.demo import free, image
from scripts.stripe_stand_in import keys

TREE = Path(__file__).resolve().parents[2]
#: well-known test keys of the in-memory chain: worth nothing anywhere
VALIDATOR_SEED = "//Alice"
MINER_SEED = "//Bob"
#: what who is outbid has here; 60 on a site that does not say otherwise
NOTICE_S = 15


@dataclass(frozen=True, slots=True)
class Place:
    """Where one demo lives: its folder and its port."""

    folder: Path
    port: int
    gateway_port: int = field(default_factory=free.port)
    stripe_port: int = field(default_factory=free.port)

    @property
    def url(self) -> str:
        """The site's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cli_folder(self) -> Path:
        """Where the renter's terminal keeps its settings and key."""
        return self.folder / "renter"

    @property
    def agent_home(self) -> Path:
        """Where the agent keeps its key and journal."""
        return self.folder / "agent"

    @property
    def logs(self) -> Path:
        """Where each program writes its log."""
        return self.folder / "logs"

    @property
    def running(self) -> Path:
        """A file that is there until everything is removed: then the demo was killed."""
        return self.folder / "running"

    def clear(self) -> None:
        """Start from nothing: each demo has its own database, keys and journal."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.cli_folder.mkdir(parents=True)
        self.running.touch()

    def environment(self) -> dict[str, str]:
        """Return the environment of every program of the demo."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTH_")}
        return kept | self._settings() | {"PYTHONUNBUFFERED": "1"}

    def _settings(self) -> dict[str, str]:
        return {
            "BERTH_DATA_DIR": str(self.folder),
            "BERTH_PUBLIC_URL": self.url,
            "BERTH_MARKETPLACE_URL": self.url,
            "BERTH_GATEWAY_URL": f"http://127.0.0.1:{self.gateway_port}",
            "BERTH_AGENT_HOME": str(self.agent_home),
            "BERTH_AGENT_ADDRESS": "127.0.0.1",
            "BERTH_AGENT_NETWORK": str(free.network()),
            "BERTH_AGENT_IMAGES": image.NAME,
            # The only renter is the demo itself; where limits do not hold, it says so.
            "BERTH_AGENT_ALLOW_UNISOLATED": "1",
            "BERTH_AGENT_CONTROL_PORT": str(free.port()),
            "BERTH_VALIDATOR_HOTKEY_SEED": VALIDATOR_SEED,
            "BERTH_VALIDATOR_SSH_KEY": str(self.folder / "validator_ssh_key"),
            "BERTH_VALIDATOR_ALLOW_PRIVATE": "1",
            "BERTH_VALIDATOR_INTERVAL_S": "2",
            "BERTH_MEMORY_CHAIN": str(self.folder / "memory_chain.json"),
            "BERTH_DEFAULT_IMAGE": image.NAME,
            "BERTH_STRIPE_API_URL": f"http://127.0.0.1:{self.stripe_port}",
            "BERTH_STRIPE_SECRET_KEY": keys.SECRET_KEY,
            "BERTH_STRIPE_WEBHOOK_SECRET": keys.WEBHOOK_SECRET,
            "BERTH_STRIPE_CONNECT_WEBHOOK_SECRET": keys.CONNECT_WEBHOOK_SECRET,
            # Nobody waits a minute for a stop, a week for a payout, or until $20 are earned.
            "BERTH_OUTBID_NOTICE_S": str(NOTICE_S),
            "BERTH_PAYOUT_HOLD_DAYS": "0",
            "BERTH_PAYOUT_MICROUSD_MIN": "10000",
            "BERTH_CONFIG": str(self.cli_folder / "config.toml"),
        }


def python(*words: str) -> list[str]:
    """Return the command line of a module of this tree."""
    return [sys.executable, "-m", *words]


def manage(*words: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, str(TREE / "manage.py"), *words]


def web(place: Place) -> list[str]:
    """Return the command line of the web site."""
    listen = ("--host", "127.0.0.1", "--port", str(place.port))
    quiet = ("--no-access-log", "--timeout-graceful-shutdown", "3")
    return python("uvicorn", "marketplace.asgi:application", "--lifespan", "on", *listen, *quiet)


def stripe(place: Place) -> list[str]:
    """Return the command line of what stands in for Stripe."""
    port = ("--port", str(place.stripe_port))
    return python("scripts.stripe_stand_in", "--site", place.url, *port)


def gateway(place: Place) -> list[str]:
    """Return the command line of the gateway to endpoints."""
    return manage("run_gateway", "--port", str(place.gateway_port))


def keypair(seed: str) -> bittensor_core.Keypair:
    """Return a hotkey of the demo."""
    return bittensor_core.Keypair.create_from_uri(seed)
