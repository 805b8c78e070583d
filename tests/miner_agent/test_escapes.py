"""Attempts to get out of a rental, at the machine or at its neighbours: each one fails."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.miner_agent.lab import Lab
from tests.miner_agent.programs import SOURCES, pairs, put

ATTEMPTS = re.findall(r'^    \{"(\w+)", ', (SOURCES / "escapes.c").read_text(), re.MULTILINE)
#: what these are given shows that the attempts are real
GIVEN = (
    *("SYS_ADMIN", "NET_ADMIN", "SYS_BOOT", "SYS_TIME", "SYSLOG", "DAC_READ_SEARCH", "SYS_PACCT"),
    *("SYS_NICE", "SYS_PTRACE"),
)
OPEN = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
REAL = (
    *("block_device", "memory_device", "raw_socket", "arp_socket", "mount_tmpfs", "mount_proc"),
    *("mount_bind", "new_mount", "open_tree_clone", "pivot", "unshare_mounts", "unshare_network"),
    *("setns_first", "load_bpf", "watch_counters", "read_keyring", "add_a_key", "catch_faults"),
    *("file_by_handle", "core_pattern", "forwarding", "drop_caches", "kernel_messages"),
    *("restart", "set_clock", "set_name", "swap", "accounting", "ahead_of_others", "any_sender"),
    *("other_address", "other_card", "write_kit", "write_hosts", "plant_in_kit"),
    *("set_user_bit", "watch_files", "ipv6_address", "write_interrupts"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def outcome(tenants: Lab, folder: Path) -> dict[str, str]:
    return pairs(tenants.first.run(put(tenants.first, "escapes", folder)))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_to_get_out_fails(outcome: dict[str, str], attempt: str) -> None:
    assert outcome[attempt].startswith("refused")


def test_the_attempts_are_real(image: str, outcome: dict[str, str], folder: Path) -> None:
    given = [word for name in GIVEN for word in ("--cap-add", name)]
    opened = [word for option in OPEN for word in ("--security-opt", option)]
    where = ("--userns", "host", "--cgroupns", "host", "--user", "0", "--entrypoint", "sh")
    kit = ("--volume", f"{folder}/kit:/.access/init")
    (folder / "kit").touch()
    command = ["docker", "run", "--rm", "-i", *given, *opened, *where, *kit, image, "-c"]
    script = "mkdir -p /tmp; cat > /escapes; chmod 755 /escapes; /escapes"
    content = (folder / "escapes").read_bytes()
    done = subprocess.run([*command, script], input=content, capture_output=True, check=False)
    worked = {name for name, how in pairs(done.stdout.decode()).items() if how == "worked"}
    assert set(REAL) - worked == set(), done.stderr
