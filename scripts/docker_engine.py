"""This will lend a Docker Engine: the one that answers, or its own until it is no longer needed."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from scripts import firewall_rules, mounts
from scripts.system_packages import find_program

SOCKET = Path("/var/run/docker.sock")
START_S_MAX = 60
STOP_S_MAX = 40


class NoEngine(Exception):
    """No Docker Engine answers and none can be started; the sentence says what to do."""


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Yield one sentence about the engine in use; its own one keeps its images in ``folder``.

    :raises NoEngine: when none answers and none could be started.
    """
    version = answering_version()
    if version is not None:
        yield f"Docker Engine {version} answers and is used"
        return
    refuse_where_impossible()
    folder.mkdir(parents=True, exist_ok=True)
    rules_before = firewall_rules.read()
    process = start(folder)
    try:
        version = wait_until_answering(process, folder / "dockerd.log")
        yield f"Docker Engine {version} was started for this and will be stopped"
    finally:
        stop(process)
        SOCKET.unlink(missing_ok=True)
        for used in (folder, run_folder(folder)):
            mounts.unmount_below(used)
        shutil.rmtree(run_folder(folder), ignore_errors=True)
        firewall_rules.remove_added_by_docker(rules_before)
        remove_bridge()


def run_folder(folder: Path) -> Path:
    """Return where the engine's sockets are: below a deep folder their paths would be too long."""
    return Path("/run") / f"berth-docker-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"


def answering_version() -> str | None:
    """Return the version of the engine that answers at DOCKER_HOST or the usual socket."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return None
    try:
        return str(client.version()["Version"])
    except (DockerException, OSError):
        return None
    finally:
        client.close()


def refuse_where_impossible() -> None:
    """Refuse where this process can't start an engine.

    :raises NoEngine: naming exactly what is missing.
    """
    if find_program("dockerd") is None:
        raise NoEngine("No Docker Engine answers: run as root `apt-get install docker.io`.")
    if os.geteuid() != 0:
        raise NoEngine(
            "No Docker Engine answers and only root can start one: run this as root, or start "
            "Docker and add yourself to the group docker."
        )
    if os.environ.get("DOCKER_HOST"):
        raise NoEngine("No Docker Engine answers at DOCKER_HOST; unset it to use an own one.")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start dockerd with everything it keeps in ``folder``."""
    program = find_program("dockerd")
    assert program is not None
    command = [
        program,
        f"--data-root={folder / 'data'}",
        f"--exec-root={run_folder(folder)}",
        f"--pidfile={folder / 'dockerd.pid'}",
        f"--host=unix://{SOCKET}",
    ]
    # A pid file of a killed engine would stop the next one where the number is in use again.
    (folder / "dockerd.pid").unlink(missing_ok=True)
    SOCKET.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with (folder / "dockerd.log").open("wb") as log:
        # Its own session: Ctrl-C in the terminal must reach the demo first, which then stops it.
        return subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def wait_until_answering(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the version as soon as the engine answers.

    :raises NoEngine: when it ended or did not answer within START_S_MAX.
    """
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline and process.poll() is None:
        version = answering_version() if SOCKET.exists() else None
        if version is not None:
            return version
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it wrote nothing"]
    raise NoEngine(f"dockerd did not start (see {log}): {last[0]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the engine and everything it started."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def remove_bridge() -> None:
    """Remove the network interface that dockerd leaves behind."""
    if Path("/sys/class/net/docker0").exists():
        subprocess.run(["ip", "link", "delete", "docker0"], check=False, timeout=10)
