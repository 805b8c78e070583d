"""The engine that this project starts itself where none answers."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.miner_agent.host import REPOSITORY

#: a machine on which no Docker answers: its own /run, network and lists of ranges
ALONE = """
mount -t tmpfs none /run
for file in subuid subgid; do
    touch "$1/$file"
    mount --bind "$1/$file" /etc/$file
done
ip link set lo up
exec "$0" -c "$2" "$1"
"""
#: lend it, look at it, leave something running, and look at what is left
LEND = """
import subprocess, sys
from pathlib import Path
from scripts.docker_engine import engine
from tests.miner_agent import images

def docker(*words):
    asked = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return asked.stdout.strip()

folder = Path(sys.argv[1])
with engine(folder / "docker") as sentence:
    print(sentence)
    print(docker("info", "-f", "{{.SecurityOptions}} {{.LiveRestoreEnabled}}"))
    images.make("berth-test-lent")
    number = docker("inspect", "-f", "{{.State.Pid}}", docker("run", "-d", "berth-test-lent"))
    owner = Path("/proc", number).stat().st_uid
    print(owner, Path("/etc/subuid").read_text().strip())
print("runs" if Path("/proc", number).exists() else "ended")
print(repr(Path("/etc/subuid").read_text()))
print(sorted(path.name for path in Path("/run").iterdir()))
"""


def test_it_maps_users_and_takes_everything_along() -> None:
    # Not in pytest's folder: that is closed to the mapped root.
    with tempfile.TemporaryDirectory(prefix="berth-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        environment = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
        done = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-ec", ALONE, sys.executable, folder, LEND],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    sentence, options, owner, container, ranges, sockets = done.stdout.splitlines()
    assert "was started for this, with userns-remap, and will be stopped" in sentence
    assert options.endswith("name=userns] true")
    assert owner == "1895825408 nobody:1895825408:65536"
    assert container == "ended"
    assert ranges == "''"
    assert "berth" not in sockets
