"""This will lend a Docker Engine: the one that answers, or its own until it is no longer needed."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from scripts import engine_traces, subordinate_ids
from scripts.engine_traces import run_folder
from scripts.lock import Locked, locked
from scripts.system_packages import find_program

SOCKET = Path("/var/run/docker.sock")
#: a folder can be locked like a file, and nothing is left of it
LOCK = Path("/run")
START_S_MAX = 60
#: where something listens: systemd may be starting the engine at this very call
ANSWER_S_MAX = 30
#: layers, of all images together: one slow registry must not hold the others back
DOWNLOADS_MOST = 64


class NoEngine(Exception):
    """No Docker Engine answers and none can be started; the sentence says what to do."""


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Yield one sentence about the engine in use; its own one keeps its images in ``folder``.

    :raises NoEngine: when none answers and none could be started.
    """
    with contextlib.ExitStack() as stack:
        alone = os.geteuid() == 0 and _is_alone(stack)
        if alone:
            # Of a run that was killed: its engine must not pass for somebody else's.
            engine_traces.stop_engine(folder)
        version = answering_version()
        if version is not None:
            stack.close()
            yield f"Docker Engine {version} answers and is used"
            return
        refuse_where_impossible()
        if not alone:
            raise NoEngine("Another run starts or stops its Docker Engine; try again when it has.")
        yield from _own(folder)


def _is_alone(stack: contextlib.ExitStack) -> bool:
    """Say whether no other run on this machine owns an engine; nobody else can begin then."""
    try:
        stack.enter_context(locked(LOCK))
    except Locked:
        return False
    return True


def _own(folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    engine_traces.remember(folder)
    try:
        refusal = subordinate_ids.refusal(folder)
        mapping = f"without userns-remap, as {refusal}" if refusal else "with userns-remap"
        process = start(folder, maps_users=refusal is None)
        try:
            version = wait_until_answering(process, folder / "dockerd.log")
            yield f"Docker Engine {version} was started for this, {mapping}, and will be stopped"
        finally:
            stop(process)
    finally:
        SOCKET.unlink(missing_ok=True)
        engine_traces.remove(folder)


def answering_version() -> str | None:
    """Return the version of the engine that answers at DOCKER_HOST or the usual socket."""
    try:
        with contextlib.closing(_client()) as client:
            return str(client.version()["Version"])
    except (DockerException, OSError):
        return None


def _client() -> docker.DockerClient:
    return docker.from_env(timeout=ANSWER_S_MAX)


def refuse_where_impossible() -> None:
    """Refuse where this process can't start an engine.

    :raises NoEngine: naming exactly what is missing.
    """
    if os.environ.get("DOCKER_HOST"):
        raise NoEngine("No Docker Engine answers at DOCKER_HOST; unset it to use an own one.")
    if find_program("dockerd") is None:
        raise NoEngine("No Docker Engine answers: run as root `apt-get install docker.io`.")
    if os.geteuid() == 0:
        if _somebody_listens():
            raise NoEngine(f"Docker hangs at {SOCKET}: look at `systemctl status docker`.")
        return
    if SOCKET.is_socket() and not os.access(SOCKET, os.W_OK):
        raise NoEngine(
            f"Docker's socket {SOCKET} is closed to you: run this as root, or let root run "
            "`adduser YOUR-NAME docker` and log in again."
        )
    raise NoEngine(
        "No Docker Engine answers and only root can start one: run this as root, or let root run "
        "`systemctl start docker` and `adduser YOUR-NAME docker`, and log in again."
    )


def _somebody_listens() -> bool:
    """Say whether the usual socket is in use; a killed engine leaves one that is not."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(SOCKET)) == 0


def start(folder: Path, *, maps_users: bool) -> subprocess.Popen[bytes]:
    """Start dockerd with everything it keeps in ``folder``, as docs/hosting.md wants it."""
    program = find_program("dockerd")
    assert program is not None
    command = [
        program,
        f"--data-root={folder / 'data'}",
        f"--exec-root={run_folder(folder)}",
        f"--pidfile={engine_traces.process_file(folder)}",
        f"--host=unix://{SOCKET}",
        # Rentals outlive its restart.
        "--live-restore",
        f"--max-concurrent-downloads={DOWNLOADS_MOST}",
    ]
    if maps_users:
        subordinate_ids.add()
        command.append(f"--userns-remap={subordinate_ids.USER}:{subordinate_ids.GROUP}")
    # A pid file of a killed engine would stop the next one where the number is in use again.
    engine_traces.process_file(folder).unlink(missing_ok=True)
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


def end_containers() -> None:
    """Kill what runs: with live-restore it would outlive the engine."""
    with contextlib.suppress(DockerException, OSError), contextlib.closing(_client()) as client:
        for container in client.containers.list():
            with contextlib.suppress(DockerException):
                container.kill()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the engine and everything it started."""
    if process.poll() is None:
        end_containers()
        process.terminate()
    try:
        process.wait(engine_traces.STOP_S_MAX)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
