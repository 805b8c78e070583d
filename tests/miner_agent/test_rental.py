"""A rental on a real engine, used with the real OpenSSH client."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocol.agent import DesiredPlacement, ObservedPlacement, ObservedState
from protocol.container_log import Stream
from protocol.receipts import check_chain
from tests.miner_agent.host import DOOR_S, MIB, Host, docker, is_left, make_key
from tests.miner_agent.leftovers import ended_after


@dataclass
class Rental:
    host: Host
    desired: DesiredPlacement
    seen: ObservedPlacement

    def run(self, command: str) -> str:
        result = self.host.ssh(self.seen, command)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture(scope="module")
def rental(host: Host) -> Iterator[Rental]:
    if host.process is None:
        host.start()
    with ended_after(host):
        desired = host.desire()
        seen = host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
        yield Rental(host, desired, seen)


def test_a_rental_has_exactly_the_cpus_that_were_asked_for(rental: Rental) -> None:
    assert rental.run("nproc") == "1"


def test_a_rental_cannot_use_more_memory_than_it_has(rental: Rental) -> None:
    limit = rental.run(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
        " | head -1"
    )
    assert int(limit) == 128 * MIB
    hungry = rental.host.ssh(rental.seen, "head -c 300m /dev/zero | tail -c 250m | wc -c")
    assert hungry.stdout.strip() != str(250 * MIB)
    assert rental.run("echo alive") == "alive"


def test_a_rental_cannot_fork_without_end(rental: Rental) -> None:
    limit = rental.run(
        "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -1"
    )
    assert int(limit) == 2048


def test_a_rental_runs_out_of_disk_at_its_own_limit(rental: Rental) -> None:
    full = rental.host.ssh(rental.seen, "dd if=/dev/zero of=/big bs=1M count=100")
    assert full.returncode != 0
    assert "No space left" in full.stderr
    written = int(rental.run("stat -c %s /big; rm /big"))
    assert 40 * MIB < written <= 64 * MIB


def test_a_rental_may_not_make_devices_or_raw_sockets_or_touch_the_kit(rental: Rental) -> None:
    for forbidden in (
        "mknod /tmp/disk b 7 0",
        "mount -t tmpfs none /mnt",
        "ping -c 1 127.0.0.1",
        "touch /.access/x",
        "umount /.access",
    ):
        assert rental.host.ssh(rental.seen, forbidden).returncode != 0, forbidden


def test_a_rental_sees_no_gpu_where_it_rented_none(rental: Rental) -> None:
    assert rental.run("tr '\\0' '\\n' </proc/1/environ | grep NVIDIA") == (
        "NVIDIA_VISIBLE_DEVICES=void"
    )


def test_exactly_the_renters_keys_open_the_door_from_the_next_log_in_on(rental: Rental) -> None:
    market, first = rental.host.market, rental.host.key
    second = rental.host.home / "second"
    make_key(second)
    assert [logs_in(rental, key) for key in (first, second)] == [True, False]
    old, new = (key.with_suffix(".pub").read_text().strip() for key in (first, second))
    for keys in ((old, new), (new,), (old,)):
        market.want(rental.desired.model_copy(update={"authorized_keys": keys}))
        revision = market.revision
        market.wait_until(lambda: market.applied >= revision)  # noqa: B023 - it is called at once
        expected = [old in keys, new in keys]
        # Written a moment after it was heard.
        deadline = time.monotonic() + DOOR_S
        while (opened := [logs_in(rental, key) for key in (first, second)]) != expected:
            assert time.monotonic() < deadline, opened


def logs_in(rental: Rental, key: Path) -> bool:
    client = rental.host.client(rental.seen)
    client[client.index("-i") + 1] = str(key)
    result = subprocess.run([*client, "root@127.0.0.1", "true"], capture_output=True, check=False)
    return result.returncode == 0


def test_the_door_comes_back_when_the_renter_kills_everything(rental: Rental) -> None:
    rental.host.ssh(rental.seen, "kill -9 -1")
    retry = "for i in $(seq 100); do {} && exit 0; sleep 0.3; done; exit 1"
    client = subprocess.list2cmdline([*rental.host.client(rental.seen), "root@127.0.0.1", "true"])
    result = subprocess.run(["sh", "-c", retry.format(client)], check=False, timeout=60)
    assert result.returncode == 0


def test_an_ended_rental_leaves_nothing_and_a_whole_chain(running_host: Host) -> None:
    market = running_host.market
    desired = running_host.desire()
    market.wait_for(desired.placement_id, ObservedState.RUNNING)
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    market.wait_until(lambda: market.chains.get(desired.placement_id))
    assert is_left(desired.placement_id, running_host.home) == []
    assert check_chain(market.chains[desired.placement_id]) > 0
    assert market.failures == []
    states = market.history[desired.placement_id]
    assert states == [state for state in ObservedState if state in states]
    market.drop(desired.placement_id)
    assert docker("ps", "-q", "--filter", f"name=berth-{desired.placement_id}") == ""


def test_what_a_rentals_command_says_is_sent_to_who_asks(rental: Rental) -> None:
    market = rental.host.market
    command = ("sh", "-c", "echo first; echo ready; echo wrong >&2; exec sleep 1000")
    talks = rental.host.desire(command=command)
    market.wait_for(talks.placement_id, ObservedState.RUNNING)
    deadline = time.monotonic() + DOOR_S
    # The door starts beside the command, and may say something of its own on the same stream.
    while (texts := said(rental, talks))["stdout"] != ["first", "ready"] or "wrong" not in texts[
        "stderr"
    ]:
        assert time.monotonic() < deadline, texts
    report = market.ask_for_log(talks.placement_id, lines_most=1)
    assert (len(report.lines), report.is_cut) == (1, True)
    market.end(talks.placement_id)
    market.wait_for(talks.placement_id, ObservedState.GONE)
    assert market.ask_for_log(talks.placement_id).has_container is False
    market.drop(talks.placement_id)


def said(rental: Rental, of: DesiredPlacement) -> dict[str, list[str]]:
    report = rental.host.market.ask_for_log(of.placement_id)
    return {
        stream: [line.text for line in report.lines if line.stream == stream] for stream in Stream
    }


def test_the_end_of_a_rental_removes_kits_that_no_other_uses(rental: Rental) -> None:
    market = rental.host.market
    old = rental.host.home / "agent" / "kits" / "0123456789abcdef"
    old.mkdir()
    other = rental.host.desire()
    market.wait_for(other.placement_id, ObservedState.RUNNING)
    market.end(other.placement_id)
    market.wait_for(other.placement_id, ObservedState.GONE)
    market.drop(other.placement_id)
    market.wait_until(lambda: not old.exists())
    assert rental.run("test -x /.access/sshd && echo there") == "there"
