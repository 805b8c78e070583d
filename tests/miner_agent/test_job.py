"""A job on a real engine: inputs in, no network, outputs out, its exit code told."""

import hashlib
from uuid import UUID

from protocol.agent import ObservedState
from protocol.workload import JobFile, PlacementKind
from tests.miner_agent.host import MIB, Host, is_left

SCRIPT = r"""
echo said; echo complained >&2
cat /input/data/in.txt > /output/copy.txt
mkdir /output/sub; head -c 70000 /dev/urandom > /output/sub/random
ln -s /etc/passwd /output/link; ln -s /proc/1/environ /output/environ; mkfifo /output/pipe
echo x >> /input/data/in.txt || echo "input is closed" > /output/closed.txt
touch /input/new || echo "and stays so" >> /output/closed.txt
ls /sys/class/net > /output/networks.txt
grep -E ' /(in|out)put ' /proc/mounts | cut -d' ' -f2,4 > /output/mounts.txt
df -k /output | tail -1 > /output/disk.txt
dd if=/dev/zero of=/output/huge bs=1M count=200; rm /output/huge
exit 7
"""


def ends(host: Host, placement_id: UUID):
    """Return what was told of it when it was gone."""
    seen = host.market.wait_for(placement_id, ObservedState.GONE, deadline_s=60)
    assert is_left(placement_id, host.home) == []
    assert host.market.failures == []
    return seen


def test_a_job_has_its_inputs_and_leaves_its_outputs(running_host: Host) -> None:
    host, market = running_host, running_host.market
    desired = host.desire(
        kind=PlacementKind.JOB,
        command=("sh", "-c", SCRIPT),
        inputs=(market.give("data/in.txt", b"from the renter\n"),),
        outputs_bytes_max=MIB,
    )
    seen = ends(host, desired.placement_id)
    assert (seen.exit_code, seen.problem, seen.ssh_port) == (7, None, None)
    left = market.outputs(desired.placement_id)
    assert left.pop("sub/random")
    assert b" Available" not in left["disk.txt"]
    size_kib = int(left.pop("disk.txt").split()[1])
    assert size_kib < 64 * 1024
    assert left.pop("networks.txt") == b"lo\n"
    mounts = dict(line.split() for line in left.pop("mounts.txt").decode().splitlines())
    assert {"ro"} <= set(mounts["/input"].split(","))
    assert {"rw", "nosuid", "nodev"} <= set(mounts["/output"].split(","))
    assert b"complained" in left.pop(".stderr")
    assert left == {
        "copy.txt": b"from the renter\n",
        "closed.txt": b"input is closed\nand stays so\n",
        ".stdout": b"said\n",
    }
    market.drop(desired.placement_id)


def test_a_job_that_leaves_too_much_says_so_and_one_without_its_input_does_not_start(
    running_host: Host,
) -> None:
    host, market = running_host, running_host.market
    bomb = host.desire(
        kind=PlacementKind.JOB,
        command=("sh", "-c", "echo said; truncate -s 4G /output/bomb"),
        outputs_bytes_max=MIB,
    )
    missing = host.desire(
        kind=PlacementKind.JOB,
        command=("true",),
        inputs=(JobFile(path="in", digest=hashlib.sha256(b"?").hexdigest(), size_bytes=1),),
    )
    seen = ends(host, bomb.placement_id)
    assert seen.problem is not None
    assert (seen.problem.code, seen.exit_code) == ("outputs_too_large", 0)
    assert market.outputs(bomb.placement_id) == {".stdout": b"said\n", ".stderr": b""}
    seen = ends(host, missing.placement_id)
    assert seen.problem is not None
    assert seen.problem.code == "input_missing"
    for one in (bomb, missing):
        market.drop(one.placement_id)


def test_a_kill_while_outputs_are_taken_loses_none(running_host: Host) -> None:
    host, market = running_host, running_host.market
    # The marketplace hears of the end and takes no file yet.
    market.keeps_outputs = False
    desired = host.desire(
        kind=PlacementKind.JOB,
        command=("sh", "-c", "echo kept > /output/result"),
        outputs_bytes_max=MIB,
    )
    market.wait_for(desired.placement_id, ObservedState.COLLECTING)
    market.wait_until(lambda: market.refused_outputs > 0)
    host.kill()
    host.start()
    market.keeps_outputs = True
    ends(host, desired.placement_id)
    assert market.outputs(desired.placement_id)["result"] == b"kept\n"
    market.drop(desired.placement_id)
