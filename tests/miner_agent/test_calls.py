"""What a rental may ask the kernel for, tried from inside a real one."""

import platform
import subprocess
from pathlib import Path

from protocol.agent import ObservedState
from tests.miner_agent.host import Host

SOURCE = Path(__file__).with_name("calls.c")
NOT_THERE = ("io_uring_setup", "io_uring_enter", "io_uring_register")
NOT_NATIVE = ("x32", "32_bit") if platform.machine() == "x86_64" else ()


def test_io_uring_vsock_and_32_bit_calls_are_not_there(running_host: Host, tmp_path: Path) -> None:
    program = tmp_path / "calls"
    subprocess.run(["gcc", "-static", "-o", program, SOURCE], check=True)
    desired = running_host.desire()
    seen = running_host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
    asked = subprocess.run(
        [*running_host.client(seen), "root@127.0.0.1", "cat > /c && chmod +x /c && /c"],
        input=program.read_bytes(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    running_host.market.end(desired.placement_id)
    running_host.market.wait_for(desired.placement_id, ObservedState.GONE)
    running_host.market.drop(desired.placement_id)
    answers = dict(line.split() for line in asked.stdout.decode().splitlines())
    assert answers == {
        **dict.fromkeys((*NOT_THERE, *NOT_NATIVE), "ENOSYS"),
        **dict.fromkeys(("vsock", "vsock_pair"), "EAFNOSUPPORT"),
        **dict.fromkeys(("inet", "unix_pair"), "works"),
    }
