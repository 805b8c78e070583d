"""This will be the line to Docker Engine: opened at the first call, errors in our own words."""

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Any

from docker.api import APIClient
from docker.auth import encode_header
from docker.errors import APIError, DockerException, NotFound

from miner_agent.domain.root_inside import UNMAPPED, Ids, root_inside
from protocol.agent import RegistryLogin

CALL_DEADLINE_S = 60
IMPORT_DEADLINE_S = 120
#: Docker keeps two files of a megabyte of what a container said (container_arguments.py)
LOG_BYTES_MOST = 8 << 20
CHUNK_BYTES = 1 << 16
#: a fetch of which nothing is heard for so long is over
PULL_SILENT_S = 180
SOCKET = "unix:///var/run/docker.sock"
#: what a daemon says while it ends or begins
LEAVING = re.compile(r"shutting down|shutdown|not yet ready|is restarting|context canceled")


class EngineUnavailable(Exception):
    """Docker does not answer; the same may work a little later."""


class EngineRefused(Exception):
    """Docker answered and said no."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    version: str
    storage_driver: str
    root: str
    #: where Docker reads specifications of devices; empty: it cannot
    cdi_folders: tuple[str, ...] = ()
    #: whom root inside a container acts as on this machine
    root_inside: Ids = UNMAPPED
    #: names of the runtimes that start containers
    runtimes: tuple[str, ...] = ()
    #: the one that does unless another one is asked for
    runtime: str = ""


class Engine:
    """One Docker Engine, whether it answers now or not."""

    def __init__(self, docker_host: str | None = None) -> None:
        self._docker_host = docker_host or SOCKET
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        #: told of each fetch that ended: its seconds, and whether it came to its end
        self.pulled: Callable[[float, bool], None] = lambda seconds, done: None

    @property
    def api(self) -> Any:
        """Return Docker's API; the first call finds out which version of it is spoken.

        :raises EngineUnavailable: when Docker does not answer.
        """
        with self._lock, answers():
            if self._client is None:
                self._client = APIClient(
                    base_url=self._docker_host, version="auto", timeout=CALL_DEADLINE_S
                )
            return self._client

    def info(self) -> dict[str, Any]:
        """Return all that the engine says about itself.

        :raises EngineUnavailable: when it does not answer.
        """
        with answers():
            told: dict[str, Any] = self.api.info()
        return told

    def labelled(self, label: str) -> set[str]:
        """Return every value that a container or network here has for this label."""
        with answers():
            found = [*self.api.containers(all=True), *self.api.networks()]
        labels = (one.get("Labels") or {} for one in found)
        return {str(one[label]) for one in labels if label in one}

    def facts(self) -> EngineFacts:
        """Return what the engine says about itself.

        :raises EngineUnavailable: when it does not answer.
        """
        info = self.info()
        root = str(info.get("DockerRootDir", ""))
        return EngineFacts(
            version=str(info.get("ServerVersion", "")),
            storage_driver=str(info.get("Driver", "")),
            cdi_folders=tuple(map(str, info.get("CDISpecDirs") or ())),
            root=root,
            root_inside=root_inside(
                security_options=tuple(map(str, info.get("SecurityOptions") or ())),
                docker_root=root,
            ),
            runtimes=tuple(sorted(info.get("Runtimes") or ())),
            runtime=str(info.get("DefaultRuntime", "")),
        )

    def image(self, name: str) -> dict[str, Any] | None:
        """Return what Docker knows of an image, None where it has none of this name.

        :raises EngineUnavailable: when it does not answer.
        """
        try:
            with answers():
                found: dict[str, Any] = self.api.inspect_image(name)
        except NotFound:
            return None
        return found

    def images(self, *, label: str) -> list[dict[str, Any]]:
        """Return every image with this label."""
        with answers():
            found: list[dict[str, Any]] = self.api.images(filters={"label": label})
        return found

    def remove_image(self, name: str) -> bool:
        """Say whether it is gone; Docker keeps what a container was made from."""
        try:
            with answers():
                self.api.remove_image(name)
        except NotFound:
            return True
        except EngineRefused:
            return False
        return True

    def import_image(self, archive: IO[bytes], *, changes: Sequence[str]) -> str:
        """Make an image of a tar archive's files, without a name, and return its id."""
        with answers():
            api = self.api
            response = api._post(
                api._url("/images/create"),
                data=archive,
                params={"fromSrc": "-", "changes": list(changes)},
                headers={"Content-Type": "application/tar"},
                stream=True,
                timeout=IMPORT_DEADLINE_S,
            )
            with closing(response):
                api._raise_for_status(response)
                told = list(api._stream_helper(response, decode=True))
        for line in told:
            if "error" in line:
                raise EngineRefused(f"the image could not be made: {line['error']}")
        return str(told[-1]["status"])

    def digest(self, reference: str, *, login: RegistryLogin | None) -> str:
        """Return what the registry has under this name for who logs in so; None: for everybody.

        :raises EngineRefused: when it has nothing, or nothing for them.
        """
        try:
            with answers():
                told = self.api.inspect_distribution(reference, auth_config=_login(login))
        except NotFound as error:
            raise EngineRefused(str(error)) from error
        return str(told["Descriptor"]["digest"])

    def pull(
        self, repository: str, digest: str, *, login: RegistryLogin | None
    ) -> Generator[dict[str, Any], None, None]:
        """Fetch an image, line by line; to close the iterator gives the fetch up.

        The library's own pull waits for ever.
        """
        began, done = time.monotonic(), False
        try:
            yield from self._pull(repository, digest, login)
            done = True
        finally:
            self.pulled(time.monotonic() - began, done)

    def _pull(
        self, repository: str, digest: str, login: RegistryLogin | None
    ) -> Generator[dict[str, Any], None, None]:
        with answers():
            api = self.api
            response = api._post(
                api._url("/images/create"),
                params={"fromImage": repository, "tag": digest},
                headers={"X-Registry-Auth": encode_header(_login(login))},
                stream=True,
                timeout=(CALL_DEADLINE_S, PULL_SILENT_S),
            )
            with closing(response):
                api._raise_for_status(response)
                yield from api._stream_helper(response, decode=True)

    def log(self, name: str, *, lines_most: int) -> bytes:
        """Return the newest lines of a container's log with their times, in Docker's frames.

        The library's own call does not tell which stream a frame is of.

        :raises EngineRefused: when there is more than any of our containers can have.
        """
        with answers():
            api = self.api
            response = api._get(
                api._url("/containers/{0}/logs", name),
                params={"stdout": 1, "stderr": 1, "timestamps": 1, "tail": lines_most},
                stream=True,
            )
            said = bytearray()
            with closing(response):
                api._raise_for_status(response)
                for chunk in response.iter_content(CHUNK_BYTES):
                    said += chunk
                    if len(said) > LOG_BYTES_MOST:
                        raise EngineRefused("the container's log is longer than it can be")
        return bytes(said)

    def runc_version(self) -> str:
        """Return the version of runc that starts containers, empty where Docker tells none.

        :raises EngineUnavailable: when it does not answer.
        """
        with answers():
            parts = self.api.version().get("Components") or ()
        return next((str(part["Version"]) for part in parts if part["Name"] == "runc"), "")


def _login(login: RegistryLogin | None) -> dict[str, str]:
    """Return the log-in as Docker takes it; without an empty one the host's own would be sent."""
    if login is None:
        return {}
    return {"username": login.username, "password": login.password}


@contextmanager
def answers() -> Iterator[None]:
    """Translate the library's errors: what is missing stays NotFound."""
    try:
        yield
    except NotFound:
        raise
    except APIError as error:
        said = str(error.explanation or error)
        if LEAVING.search(said.lower()):
            raise EngineUnavailable(f"Docker does not answer: {said}") from error
        raise EngineRefused(said) from error
    except (DockerException, OSError) as error:
        raise EngineUnavailable(f"Docker does not answer: {error}") from error
