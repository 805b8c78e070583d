"""Volumes as rentals have them, on a real engine: kept from one to the next, whatever ends."""

import os
from pathlib import Path
from uuid import uuid4

from miner_agent import loops
from protocol.agent import ObservedState
from protocol.workload import DesiredVolume, VolumeMount, VolumeState
from tests.miner_agent.host import MIB, Host, is_left

PROBE = """
id -u; stat -c %u /data; touch /data/file && echo kept > /data/file; ls -A /data
df -k /data | tail -1 | awk '{print $2}'
cp /bin/busybox /data/suid; chmod u+s /data/suid
grep ' /data ' /proc/mounts | cut -d' ' -f4
"""


def ended(host: Host, placement_id) -> None:
    host.market.end(placement_id)
    host.market.wait_for(placement_id, ObservedState.GONE)
    host.market.drop(placement_id)
    assert is_left(placement_id, host.home) == []


def test_what_is_in_a_volume_outlives_rentals_kills_and_reboots(running_host: Host) -> None:
    host, market = running_host, running_host.market
    volume = DesiredVolume(volume_id=uuid4(), size_bytes=16 * MIB)
    market.keep(volume)
    mounts = (VolumeMount(volume_id=volume.volume_id, path="/data"),)
    first = host.desire(volumes=mounts)
    seen = market.wait_for(first.placement_id, ObservedState.RUNNING)
    market.wait_for_volume(volume.volume_id, VolumeState.READY)
    told = host.ssh(seen, PROBE).stdout.split("\n")
    assert told[:3] == ["0", "0", "file"]
    assert int(told[3]) <= 16 * 1024
    assert {"rw", "nosuid", "nodev"} <= set(told[4].split(","))

    second = host.desire(volumes=mounts)
    refused = market.wait_for(second.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert refused.problem.code == "volume_in_use"
    # Asked for while it is in use, its end waits for the rental's.
    market.keep(volume.model_copy(update={"remove": True}))
    revision = market.revision
    market.wait_until(lambda: market.applied >= revision)
    assert market.observed_volumes[volume.volume_id].state is VolumeState.READY
    ended(host, first.placement_id)
    market.wait_for_volume(volume.volume_id, VolumeState.GONE)
    market.volumes.clear()
    for placement_id in (first.placement_id, second.placement_id):
        market.desired.pop(placement_id, None)


#: in the volume, what shall be the first process; on the disk, ways to where the kit is
TRAPS = """
mkdir -p /data/.access /way; ln -s /.access /trap; ln -s / /way/root
printf '#!/bin/sh\nexec sleep 100000\n' > /data/init; chmod +x /data/init
cp -p /data/init /data/.access/; cp -p /bin/busybox /data/; mkdir /data/bin; cp -a /bin/. /data/bin/
"""


def test_no_link_on_the_disk_leads_a_volume_over_the_first_process(running_host: Host) -> None:
    host, market = running_host, running_host.market
    volume = DesiredVolume(volume_id=uuid4(), size_bytes=16 * MIB)
    market.keep(volume)
    desired = host.desire(volumes=(VolumeMount(volume_id=volume.volume_id, path="/data"),))
    seen = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert host.ssh(seen, TRAPS).returncode == 0
    for edition, path in ((1, "/trap"), (2, "/way/root")):
        mounts = (VolumeMount(volume_id=volume.volume_id, path=path),)
        workload = desired.workload.model_copy(update={"volumes": mounts})
        market.want(desired.model_copy(update={"workload": workload, "edition": edition}))

        def is_refused(edition: int = edition) -> bool:
            now = market.observed[desired.placement_id]
            return now.state is ObservedState.RUNNING and now.problem_edition == edition

        market.wait_until(is_refused)
        problem = market.observed[desired.placement_id].change_problem
        assert problem is not None
        assert problem.code == "path_is_link"
    seen = market.observed[desired.placement_id]
    told = host.ssh(seen, "readlink /proc/1/exe; ls /data/init; cat /.access/parts | head -c 1")
    assert told.stdout.startswith("/.access/init\n/data/init\n")
    ended(host, desired.placement_id)
    market.keep(volume.model_copy(update={"remove": True}))
    market.wait_for_volume(volume.volume_id, VolumeState.GONE)
    market.volumes.clear()


def test_a_volume_is_there_again_after_a_kill_and_a_reboot_and_goes_when_asked(
    running_host: Host,
) -> None:
    host, market = running_host, running_host.market
    volume = DesiredVolume(volume_id=uuid4(), size_bytes=16 * MIB)
    market.keep(volume)
    mounts = (VolumeMount(volume_id=volume.volume_id, path="/data"),)
    first = host.desire(volumes=mounts)
    seen = market.wait_for(first.placement_id, ObservedState.RUNNING)
    host.ssh(seen, "echo kept > /data/file; sync")
    host.kill()
    os.system(f"docker kill berth-{first.placement_id}-0 >/dev/null")
    # What a reboot takes: the container's end, and every mount.
    directory = host.home / "agent" / "volumes"
    loops.unmount(directory / str(volume.volume_id))
    host.start()

    def runs_again() -> bool:
        now = market.observed[first.placement_id]
        return now.run == 1 and now.state is ObservedState.RUNNING

    market.wait_until(runs_again)
    seen = market.observed[first.placement_id]
    assert host.ssh(seen, "cat /data/file").stdout == "kept\n"
    ended(host, first.placement_id)
    third = host.desire(volumes=mounts)
    seen = market.wait_for(third.placement_id, ObservedState.RUNNING)
    assert host.ssh(seen, "cat /data/file; df -k /data | wc -l").stdout == "kept\n2\n"
    ended(host, third.placement_id)
    market.keep(volume.model_copy(update={"remove": True}))
    market.wait_for_volume(volume.volume_id, VolumeState.GONE)
    assert [path for path in Path(directory).iterdir() if str(volume.volume_id) in str(path)] == []
    market.volumes.clear()
    with market.changed:
        market.revision += 1
        market.changed.notify_all()
    market.wait_for_volume(volume.volume_id, None)


def test_volumes_and_disks_share_the_machines_disk(running_host: Host) -> None:
    host, market = running_host, running_host.market
    large = DesiredVolume(volume_id=uuid4(), size_bytes=4000 * MIB)
    larger = DesiredVolume(volume_id=uuid4(), size_bytes=100 * MIB)
    market.keep(large)
    market.wait_for_volume(large.volume_id, VolumeState.READY)
    market.keep(larger)
    market.wait_for_volume(larger.volume_id, VolumeState.REFUSED)
    rental = host.desire(disk_bytes=100 * MIB)
    refused = market.wait_for(rental.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert refused.problem.code == "no_capacity"
    unknown = host.desire(volumes=(VolumeMount(volume_id=larger.volume_id, path="/data"),))
    refused = market.wait_for(unknown.placement_id, ObservedState.GONE)
    assert refused.problem is not None
    assert refused.problem.code == "volume_unknown"
    for one in (large, larger):
        market.keep(one.model_copy(update={"remove": True}))
    for one in (large, larger):
        market.wait_for_volume(one.volume_id, VolumeState.GONE)
    market.volumes.clear()
    for one in (rental, unknown):
        market.drop(one.placement_id)
