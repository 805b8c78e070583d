"""A network is not taken away while somebody connects to it."""

import shutil
import tempfile
import threading
from ipaddress import IPv4Network
from pathlib import Path

from miner_agent.containers import Containers
from miner_agent.domain.container_spec import network_spec
from miner_agent.engine import Engine
from tests.faults.kills.field import Field

SLOT = 5
SPEC = network_spec(machine="here", network=IPv4Network("10.9.0.0/24"), slot=SLOT, internal=False)


def test_a_slot_claimed_while_unused_networks_are_looked_for_keeps_its_network() -> None:
    root = Path(tempfile.mkdtemp(prefix="kills-", dir="/dev/shm"))
    field = Field(root, 1, ())
    engine = Engine(f"unix://{root}/docker.sock")
    try:
        containers = Containers(engine, machine="here")
        containers.connect(SPEC)
        connecting = threading.Thread(target=containers.connect, args=(SPEC,))

        def used_before_the_claim() -> frozenset[int]:
            connecting.start()
            connecting.join(timeout=0.5)
            return frozenset()

        containers.disconnect(slots_kept=4, slots_used=used_before_the_claim)
        connecting.join()
        names = [network["Name"] for network in field.engine.networks.values()]
        assert SPEC.name in names

        containers.disconnect(slots_kept=4, slots_used=lambda: frozenset({SLOT}))
        assert [network["Name"] for network in field.engine.networks.values()] == names
        containers.disconnect(slots_kept=4, slots_used=frozenset)
        assert SPEC.name not in [one["Name"] for one in field.engine.networks.values()]
    finally:
        engine.api.close()
        field.close()
        shutil.rmtree(root)
