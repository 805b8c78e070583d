"""This will find the image of a rental: fetched for it without the host's rights, or allowed."""

import io
import json
import logging
import os
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from docker.errors import NotFound

from miner_agent.domain.container_spec import is_withheld
from miner_agent.domain.image import (
    LABEL_IMAGE,
    LABEL_ORIGIN,
    REGISTRY_DEFAULT,
    BareImage,
    Image,
    is_allowed,
    is_inside,
    registry_host,
    repository,
)
from miner_agent.domain.pull import SLOWEST_BYTES_S, Pull
from miner_agent.domain.registry_answer import registry_answer
from miner_agent.engine import Engine, EngineRefused, EngineUnavailable, answers
from protocol.workload import IMAGE_REFERENCE

#: below the hour that a marketplace gives a start that goes on
PULL_DEADLINE_S = 3300
#: at once on this machine; who waits for one keeps nothing but a thread
PULLS_MOST = 4
#: each change is a request to the marketplace
PROGRESS_EVERY_S = 1.0
#: a fetch that leaves less than this is given up: Docker itself needs a disk that is not full
KEPT_BYTES = 2 << 30
#: with less than this, unused images are removed before another one is fetched
ROOM_BYTES = 10 << 30
#: the same of files, of which a disk holds only so many
KEPT_FILES, ROOM_FILES = 100_000, 500_000
#: as the registry sends it; what it unpacks to is watched on the disk
IMAGE_BYTES_MOST = 64 << 30
#: an empty log-in: without it the client would send the host's own
NOBODY: dict[str, str] = {}

logger = logging.getLogger(__name__)


class ImageUnknown(Exception):
    """No registry gives this image to everybody."""


class ImagePullFailed(Exception):
    """The image could not be fetched."""


class PullGivenUp(Exception):
    """This machine will not go on with a fetch; why, in a few words."""


def resolve(host: str) -> Sequence[str]:
    """Return the addresses of a host name; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(address[0]) for *_, address in found]


def free_bytes(folder: str) -> int:
    """Return the room on the disk of this folder."""
    return shutil.disk_usage(folder).free


def free_files(folder: str) -> int:
    """Return how many more files the disk of this folder can hold."""
    told = os.statvfs(folder)
    # Some file systems have no such limit.
    return told.f_favail if told.f_files else ROOM_FILES


class Images:
    """The images that renters may use. The host's other images are not for them."""

    def __init__(
        self,
        *,
        engine: Engine,
        machine: str,
        allowed: Sequence[str] = (),
        resolve: Callable[[str], Sequence[str]] = resolve,
        free_bytes: Callable[[str], int] = free_bytes,
        free_files: Callable[[str], int] = free_files,
    ) -> None:
        self._engine = engine
        self._machine = machine
        self._allowed = allowed
        self._resolve = resolve
        self._free_bytes = free_bytes
        self._free_files = free_files
        self._pulls = threading.BoundedSemaphore(PULLS_MOST)

    def image(self, reference: str, *, progress: Callable[[str], None]) -> Image:
        """Return the image bare of its wishes, fetching it first where it is not here.

        What the host has not allowed is used only as a registry gives it to everybody, so that a
        private image in the host's cache stays private.

        :raises ImageUnknown: when no registry gives it to everybody.
        :raises ImagePullFailed: when the registry cannot be reached or refuses.
        """
        # It becomes a part of the address that Docker is asked at.
        if not IMAGE_REFERENCE.fullmatch(reference):
            raise ImageUnknown(f"The image {reference} is not known: no image can have that name.")
        if is_allowed(reference, patterns=self._allowed):
            found = self._inspect(reference)
            if found is not None:
                return self._bare(found)
        else:
            self._refuse_inside(reference)
        progress("asking the registry for the image")
        try:
            # By digest: a pull by tag would move the host's own tag of that name.
            name, digest = repository(reference), self._digest(reference)
            found = self._inspect(f"{name}@{digest}") or self._pull(name, digest, progress)
        except (EngineRefused, NotFound) as error:
            raise _pull_error(reference, str(error)) from error
        except EngineUnavailable as error:
            # A registry that keeps silent looks like an engine that does: only that one is the
            # machine's fault.
            if "timed out" not in str(error):
                raise
            self._engine.facts()
            raise _pull_error(reference, str(error)) from error
        except PullGivenUp as error:
            message = f"The image {reference} could not be pulled: {error}."
            raise ImagePullFailed(message) from error
        return self._bare(found)

    def trim(self) -> None:
        """Remove the images made here whose origin is gone."""
        for image_id, origin_id in self._made_here():
            if self._inspect(origin_id) is None:
                self._remove(image_id)

    def remove_unused(self) -> None:
        """Remove what no container uses: the images made here, and the fetched ones below them."""
        for image_id, origin_id in self._made_here():
            if not self._remove(image_id):
                continue
            origin = self._inspect(origin_id)
            # A tag is the host's: nothing is fetched by tag here.
            if origin is not None and not origin.get("RepoTags"):
                self._remove(origin_id)

    def _made_here(self) -> list[tuple[str, str]]:
        """Return the id and the origin of every image made here."""
        with answers():
            label = f"{LABEL_IMAGE}={self._machine}"
            listed = self._engine.api.images(filters={"label": label})
        return [(one["Id"], one["Labels"][LABEL_ORIGIN]) for one in listed]

    def _remove(self, image_id: str) -> bool:
        """Say whether it is gone; Docker keeps what a container was made from."""
        try:
            with answers():
                self._engine.api.remove_image(image_id)
        except NotFound:
            return True
        except EngineRefused:
            return False
        return True

    def _refuse_inside(self, reference: str) -> None:
        """Keep renters from asking the host's own network through Docker.

        :raises ImageUnknown: when the registry is not a public one.
        """
        host = registry_host(reference)
        if host != REGISTRY_DEFAULT and is_inside(self._resolve(host)):
            sentence = f"The image {reference} is not known: {host} is no public registry."
            raise ImageUnknown(sentence)

    def _digest(self, reference: str) -> str:
        """Return what the registry has under this name for somebody who is not logged in."""
        with answers():
            told = self._engine.api.inspect_distribution(reference, auth_config=NOBODY)
        return str(told["Descriptor"]["digest"])

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            with answers():
                found: dict[str, Any] = self._engine.api.inspect_image(name)
        except NotFound:
            return None
        return found

    def _bare(self, found: dict[str, Any]) -> Image:
        config = found["Config"] or {}
        pairs = [line.partition("=") for line in config.get("Env") or ()]
        bare = BareImage(
            architecture=found["Architecture"],
            os=found["Os"],
            layers=found["RootFS"].get("Layers") or (),
            environment=tuple("".join(pair) for pair in pairs if not is_withheld(pair[0])),
            labels={LABEL_IMAGE: self._machine, LABEL_ORIGIN: found["Id"]},
        )
        if self._inspect(bare.image_id()) is None:
            self._load(bare)
        return Image(
            image_id=bare.image_id(),
            environment={name: value for name, _, value in pairs},
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            folder=config.get("WorkingDir") or "/",
        )

    def _load(self, bare: BareImage) -> None:
        """Give Docker the configuration alone: the layers that it names are there already."""
        name = f"{bare.image_id().partition(':')[2]}.json"
        layers = [f"{layer.partition(':')[2]}/layer.tar" for layer in bare.layers]
        manifest = [{"Config": name, "RepoTags": None, "Layers": layers}]
        files = {name: bare.content(), "manifest.json": json.dumps(manifest).encode()}
        with answers():
            for line in self._engine.api.load_image(_archive(files)):
                if "error" in line:
                    raise EngineRefused(f"the image could not be prepared: {line['error']}")

    def _pull(self, name: str, digest: str, progress: Callable[[str], None]) -> dict[str, Any]:
        while not self._pulls.acquire(timeout=PROGRESS_EVERY_S):
            progress("waiting for other images")
        try:
            # It may have come while this one waited.
            found = self._inspect(f"{name}@{digest}")
            if found is None:
                self._fetch(name, digest, progress)
                found = self._inspect(f"{name}@{digest}")
        finally:
            self._pulls.release()
        if found is None:
            raise PullGivenUp("Docker lost it after its pull")
        return found

    def _lacks(self, root: str, room_bytes: int, room_files: int) -> bool:
        return self._free_bytes(root) < room_bytes or self._free_files(root) < room_files

    def _fetch(self, name: str, digest: str, progress: Callable[[str], None]) -> None:
        root = self._engine.facts().root
        if self._lacks(root, ROOM_BYTES, ROOM_FILES):
            self.remove_unused()
        deadline = time.monotonic() + PULL_DEADLINE_S
        pull = Pull()
        shown_at = 0.0
        with closing(self._engine.pull(name, digest)) as lines:
            for line in lines:
                if "error" in line:
                    raise EngineRefused(str(line["error"]))
                pull.note(line)
                now_s = time.monotonic()
                if now_s - shown_at > PROGRESS_EVERY_S:
                    if self._lacks(root, KEPT_BYTES, KEPT_FILES):
                        raise PullGivenUp("this machine has no room for it")
                    percent = pull.percent()
                    progress("pulling" if percent is None else f"pulling {percent} %")
                    shown_at = now_s
                if pull.size_bytes() > IMAGE_BYTES_MOST:
                    raise PullGivenUp(f"it is larger than {IMAGE_BYTES_MOST >> 30} GiB")
                if pull.is_too_slow(now_s=now_s):
                    slowest = f"{SLOWEST_BYTES_S // 1000} kB a second"
                    raise PullGivenUp(f"its registry sent less than {slowest} for minutes")
                if now_s > deadline:
                    raise PullGivenUp(f"it took longer than {PULL_DEADLINE_S} s")


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _pull_error(reference: str, said: str) -> ImageUnknown | ImagePullFailed:
    """Return what the renter is told; the registry's own words stay on this machine."""
    logger.info("image not fetched", extra={"image": reference, "said": said[:2000]})
    answer = registry_answer(said)
    answered = f"the registry answered: {answer.sentence}."
    if answer.unknown:
        return ImageUnknown(f"The image {reference} is not known; {answered}")
    return ImagePullFailed(f"The image {reference} could not be pulled; {answered}")
