"""What a real rental uses, as its agent tells the marketplace and Prometheus."""

import urllib.request
from collections.abc import Iterator

import pytest

from protocol.agent import ObservedState
from protocol.usage import IncidentBlame, IncidentKind, PlacementUsage
from tests.miner_agent.host import MIB, Host
from tests.miner_agent.leftovers import ended_after
from tests.miner_agent.test_rental import Rental

#: far more than a rental needs that only started, far less than the work that this one does
BUSY_MS = 150


@pytest.fixture(scope="module")
def busy(host: Host) -> Iterator[Rental]:
    """A rental that holds memory and disk, computes, and once took more memory than it has."""
    if host.process is None:
        host.start()
    with ended_after(host):
        desired = host.desire()
        seen = host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
        rental = Rental(host, desired, seen)
        rental.run("dd if=/dev/zero of=/big bs=1M count=20; sync")
        # So much work, however long it takes here: some 400 ms of CPU.
        rental.run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
        host.ssh(seen, "tail /dev/zero")
        yield rental


def newest(rental: Rental) -> PlacementUsage | None:
    for usage in reversed(rental.host.market.readings):
        for used in usage.placements:
            if used.placement_id == rental.desired.placement_id:
                return used
    return None


def test_the_marketplace_hears_what_a_rental_uses(busy: Rental) -> None:
    def told() -> bool:
        used = newest(busy)
        return used is not None and (used.disk_used_bytes or 0) > 20 * MIB and used.cpu_ms > BUSY_MS

    busy.host.market.wait_until(told)
    used = newest(busy)
    assert used is not None
    assert used.cpu_ms < 60_000
    assert 1 * MIB < used.memory_bytes <= 128 * MIB
    # the file system itself takes some of the 64 MiB
    assert 20 * MIB < (used.disk_used_bytes or 0) < (used.disk_bytes or 0) < 64 * MIB
    assert (used.received_bytes or 0) > 1000 < (used.sent_bytes or 0)


def test_a_process_that_took_too_much_memory_is_told_as_the_renters_doing(busy: Rental) -> None:
    market = busy.host.market
    placement_id = busy.desired.placement_id
    market.wait_until(lambda: any(one.placement_id == placement_id for one in market.incidents))
    told = {one.incident_id: one for one in market.incidents if one.placement_id == placement_id}
    (incident,) = told.values()
    assert (incident.kind, incident.blame) == (
        IncidentKind.OUT_OF_MEMORY,
        IncidentBlame.RENTER,
    )
    assert incident.count == 1


def test_prometheus_is_answered_on_the_loopback(busy: Rental) -> None:
    url = f"http://127.0.0.1:{busy.host.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = f'{{placement="{busy.desired.placement_id}"}}'
    assert float(shown[f"berth_placement_cpu_ms{name}"]) > BUSY_MS
    assert float(shown[f"berth_placement_disk_used_bytes{name}"]) > 20 * MIB
    assert float(shown['berth_agent_placements{state="running"}']) >= 1
    assert float(shown['berth_agent_syncs_total{outcome="answered"}']) >= 1
    assert float(shown['berth_agent_step_seconds_count{outcome="done",step="fetch"}']) >= 1
    assert float(shown["berth_agent_reconcile_seconds_count"]) >= 1
    assert float(shown["berth_machine_memory_bytes"]) > 0
