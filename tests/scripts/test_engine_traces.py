"""What an own Docker Engine changes on the machine is put back, also after a run was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import engine_traces
from tests.architecture.sources import TREE

#: in a network of its own: rules as dockerd makes them, then the removal
PROGRAM = """
import subprocess, sys
from pathlib import Path
from scripts import engine_traces, firewall_rules

def iptables(*words):
    subprocess.run(["iptables", "-w", *words], check=True)

folder = Path(sys.argv[1])
engine_traces.run_folder = lambda folder: folder / "run"
engine_traces.FORWARDING.write_text("0")
before = sys.argv[2].split()
if before:
    iptables(*before)
engine_traces.remember(folder)
iptables("-N", "DOCKER-USER")
iptables("-A", "FORWARD", "-j", "DOCKER-USER")
iptables("-A", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP")
iptables("-P", "FORWARD", "DROP")
engine_traces.FORWARDING.write_text("1")
engine_traces.remember(folder)
engine_traces.remove(folder)
print(engine_traces.FORWARDING.read_text().strip())
print(*firewall_rules.read()["iptables"]["filter"], sep="\\n")
"""
RUNNING = "print('up', flush=True); input()"
UNTOUCHED = [":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT"]
SOMEBODY_ELSES = "-A INPUT -p tcp -m tcp --dport 9 -j DROP"


def in_own_network(folder: Path, before: str) -> list[str]:
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", PROGRAM, folder, before],
        cwd=TREE,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_forwarding_is_closed_again_and_only_docker_s_rules_go(tmp_path: Path) -> None:
    forwarding, *rules = in_own_network(tmp_path, "")

    assert forwarding == "0"
    assert rules == [*UNTOUCHED, SOMEBODY_ELSES]
    assert not (tmp_path / "run").exists()


def test_a_machine_that_forwarded_nothing_keeps_it_so(tmp_path: Path) -> None:
    _, *rules = in_own_network(tmp_path, "-P FORWARD DROP")

    assert rules[1] == ":FORWARD DROP"


@pytest.mark.parametrize("text", ["", "nonsense", "1"])
def test_a_process_number_that_means_another_process_is_left_alone(
    tmp_path: Path, text: str
) -> None:
    engine_traces.process_file(tmp_path).write_text(text)

    engine_traces.stop_engine(tmp_path)


def test_the_engine_of_a_killed_run_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNING, f"--data-root={tmp_path}/data"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        engine_traces.process_file(tmp_path).write_text(str(engine.pid))

        engine_traces.stop_engine(tmp_path)

        assert engine.wait(60) != 0


def test_its_sockets_have_a_short_path() -> None:
    deep = Path("/srv") / "/".join(["folder"] * 20)

    assert len(bytes(engine_traces.run_folder(deep))) < 40
