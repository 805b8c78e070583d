"""One subnet on a loopback node, and an operator who types set_weights against it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import bittensor_core
import pytest
from django.core.management import CommandError, call_command

from protocol import paths
from tests.fakechain.chain import FakeChain
from tests.fakechain.node import Node, running
from tests.validator.builders import ALICE, BOB, cpu_record, epoch, record
from tests.validator.marketplace_stub import Stub

NETUID = 27
RATE_LIMIT = 100
OWNER = bittensor_core.Keypair.create_from_uri("//Owner").ss58_address
COLDKEY = bittensor_core.Keypair.create_from_uri("//Cold").ss58_address
#: Alice validates and mines; Bob mines
RECORD = epoch(record(1), cpu_record(2, miner_hotkey=BOB))


def new_chain(**changes: Any) -> FakeChain:
    """Return a chain with an owner (uid 0), Alice (1) with a permit and Bob (2)."""
    chain = FakeChain()
    chain.add_subnet(
        NETUID, owner=OWNER, coldkey=COLDKEY, WeightsSetRateLimit=RATE_LIMIT, **changes
    )
    chain.register(NETUID, ALICE, COLDKEY, permit=True)
    chain.register(NETUID, BOB, COLDKEY)
    chain.advance(3)
    return chain


@dataclass
class Operator:
    """Types set_weights, in this process or in one of its own."""

    patch: pytest.MonkeyPatch
    folder: Path
    node: Node
    stub: Stub

    @property
    def chain(self) -> FakeChain:
        return self.node.chain

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "BERTH_MARKETPLACE_URL": self.stub.url,
            "BERTH_VALIDATOR_HOTKEY_SEED": "//Alice",
            "BERTH_VALIDATOR_NETWORK": self.node.url,
            "BERTH_VALIDATOR_NETUID": str(NETUID),
            "BERTH_VALIDATOR_DATABASE": str(self.folder / "validator.sqlite3"),
            **changes,
        }

    def types(self, *words: str, **changes: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and what the command said."""
        for name, value in self.environment(**changes).items():
            self.patch.setenv(name, value)
        out, code = StringIO(), 0
        try:
            call_command("set_weights", "--json", "--timeout", "10", *words, stdout=out)
        except SystemExit as ended:
            code = int(str(ended.code))
        except CommandError as error:
            return error.returncode, {"detail": str(error)}
        return code, json.loads(out.getvalue())

    def starts(self, *words: str, **changes: str) -> "subprocess.Popen[str]":
        """Start it in a process of its own, as a validator that runs alone."""
        ours = {name: os.environ[name] for name in ("PATH", *CACHES)}
        return subprocess.Popen(
            [sys.executable, "-m", "django", "set_weights", "--json", *words],
            env={
                **ours,
                "PYTHONPATH": str(Path.cwd()),
                "DJANGO_SETTINGS_MODULE": "validator.settings",
                **self.environment(**changes),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def weights(self) -> dict[int, int]:
        """Return what the chain holds of Alice's weights."""
        return dict(self.chain.subnet("Weights", NETUID, 1))


#: where the SDK keeps what it learned; the caches of these tests are theirs alone
CACHES = ("BITTENSOR_RUNTIME_CACHE_DIR", "BTCLI_TOKEN_SYMBOLS_CACHE")


@contextmanager
def operating(
    patch: pytest.MonkeyPatch, folder: Path, stub: Stub, chain: FakeChain | None = None
) -> Iterator[Operator]:
    """Yield an operator with a marketplace and a node."""
    stub.answers[paths.VALIDATOR_EPOCH] = RECORD.model_dump_json().encode()
    for name in CACHES:
        patch.setenv(name, str(folder / name.lower()))
    with running(chain or new_chain()) as node:
        yield Operator(patch, folder, node, stub)
