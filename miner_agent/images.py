"""This will find the image of a placement: fetched for it without the host's rights, or allowed."""

import io
import json
import logging
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

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
from miner_agent.domain.registry_answer import registry_answer
from miner_agent.engine import Engine, EngineRefused, EngineUnavailable, answers
from miner_agent.fetching import Fetching, PullGivenUp, free_bytes, free_files
from miner_agent.image_book import ImageBook
from protocol.agent import RegistryLogin
from protocol.workload import IMAGE_REFERENCE

logger = logging.getLogger(__name__)


class ImageUnknown(Exception):
    """No registry gives this image to everybody."""


class ImagePullFailed(Exception):
    """The image could not be fetched."""


def resolve(host: str) -> Sequence[str]:
    """Return the addresses of a host name; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(address[0]) for *_, address in found]


class Images:
    """The images that renters may use. The host's other images are not for them."""

    def __init__(
        self,
        *,
        engine: Engine,
        book: ImageBook,
        machine: str,
        allowed: Sequence[str] = (),
        bytes_most: int | None = None,
        resolve: Callable[[str], Sequence[str]] = resolve,
        free_bytes: Callable[[str], int] = free_bytes,
        free_files: Callable[[str], int] = free_files,
    ) -> None:
        self._engine = engine
        self._book = book
        self._machine = machine
        self._allowed = allowed
        #: of all images fetched here, as if they shared no layer; None: as the disk has room
        self._bytes_most = bytes_most
        self._resolve = resolve
        #: what is pinned under it is not removed under it
        self._removing = threading.RLock()
        self._fetching = Fetching(
            engine, make_room=self.remove_unused, free_bytes=free_bytes, free_files=free_files
        )

    def image(
        self,
        reference: str,
        *,
        placement_id: UUID,
        login: RegistryLogin | None = None,
        progress: Callable[[str], None],
    ) -> Image:
        """Return the image bare of its wishes, fetching it first where it is not here.

        What the host has not allowed is used only as a registry gives it to who logs in so, so that
        a private image in the host's cache stays private. A reference goes on meaning for the
        placement what it meant at first, wherever its tag moves.

        :raises ImageUnknown: when the registry does not give it to them.
        :raises ImagePullFailed: when the registry cannot be reached or refuses.
        """
        # It becomes a part of the address that Docker is asked at.
        if not IMAGE_REFERENCE.fullmatch(reference):
            raise ImageUnknown(f"The image {reference} is not known: no image can have that name.")
        pin = self._book.pin_of(placement_id, reference)
        if pin is not None and pin.image and self._engine.image(pin.image.image_id) is not None:
            self._used(pin.origin)
            return pin.image
        try:
            origin = self._origin(reference, login, progress) if pin is None else pin.origin
            # Before the fetch: from here on nothing takes the image away.
            with self._removing:
                self._book.pin(placement_id, reference, origin=origin)
            image = self._bare(self._here(origin, login, progress))
        except Exception as error:
            if pin is None:
                # What could not be had was never used: asked again, its tag may mean another one.
                self._book.unpin(placement_id, reference=reference)
            reason = self._reason(reference, error, login)
            # What a registry says to who logs in may repeat their password.
            raise reason from (None if login else error)
        self._book.pin(placement_id, reference, origin=origin, image=image)
        return image

    def settle(self, placement_id: UUID, reference: str) -> None:
        """Let go of every other image that the placement was made from."""
        self._book.keep(placement_id, reference)

    def let_go(self, placement_id: UUID, *, reference: str | None = None) -> None:
        """Let go of one image of the placement, or of all of them."""
        self._book.unpin(placement_id, reference=reference)

    def trim(self) -> None:
        """Remove images made here whose origin is gone, and fetched ones beyond the limit."""
        with self._removing:
            pinned = self._book.pinned()
            for image_id, origin_id in self._made_here():
                if origin_id not in pinned and self._engine.image(origin_id) is None:
                    self._engine.remove_image(image_id)
            if self._bytes_most is not None:
                self._remove_beyond(self._bytes_most, pinned)

    def remove_unused(self) -> None:
        """Remove what was fetched or made here and that no placement was made from."""
        with self._removing:
            pinned = self._book.pinned()
            for name in self._book.fetched():
                if name not in pinned:
                    self._remove(name)
            found = [self._engine.image(name) for name in pinned]
            kept = pinned | {one["Id"] for one in found if one is not None}
            for image_id, origin_id in self._made_here():
                if origin_id not in kept:
                    self._engine.remove_image(image_id)

    def _remove_beyond(self, bytes_most: int, pinned: frozenset[str]) -> None:
        """Remove what was not used for longest, until the rest is small enough."""
        sizes = {name: self._size(name) for name in self._book.fetched()}
        for name, size in sizes.items():
            if sum(sizes.values()) <= bytes_most:
                return
            if name not in pinned and self._remove(name):
                logger.info("image removed", extra={"image": name, "bytes": size})
                sizes[name] = 0

    def _origin(
        self, reference: str, login: RegistryLogin | None, progress: Callable[[str], None]
    ) -> str:
        """Return what the reference means now."""
        if is_allowed(reference, patterns=self._allowed):
            found = self._engine.image(reference)
            if found is not None:
                return str(found["Id"])
        else:
            self._refuse_inside(reference)
        progress("asking the registry for the image")
        # By digest: a pull by tag would move the host's own tag of that name.
        return f"{repository(reference)}@{self._engine.digest(reference, login=login)}"

    def _here(
        self, origin: str, login: RegistryLogin | None, progress: Callable[[str], None]
    ) -> dict[str, Any]:
        """Return the origin as Docker has it, fetching it where it may be fetched."""
        found = self._engine.image(origin)
        if found is None and "@" in origin:
            self._used(origin, fetched=True)
            self._fetching.fetch(origin, login=login, progress=progress)
            found = self._engine.image(origin)
            self.trim()
        if found is None:
            raise PullGivenUp("it is not on this machine any more")
        self._used(origin)
        return found

    def _used(self, name: str, *, fetched: bool = False) -> None:
        self._book.used(name, now_ms=time.time_ns() // 1_000_000, fetched=fetched)

    def _reason(self, reference: str, error: Exception, login: RegistryLogin | None) -> Exception:
        """Return what the renter is told of a failure, or the failure itself where it is ours."""
        if isinstance(error, EngineRefused):
            return _pull_error(reference, str(error), login)
        if isinstance(error, PullGivenUp):
            return ImagePullFailed(f"The image {reference} could not be pulled: {error}.")
        if isinstance(error, EngineUnavailable) and "timed out" in str(error):
            # A registry that keeps silent looks like an engine that does: only that one is the
            # machine's fault.
            self._engine.facts()
            return _pull_error(reference, str(error), login)
        return error

    def _made_here(self) -> list[tuple[str, str]]:
        """Return the id and the origin of every image made here."""
        listed = self._engine.images(label=f"{LABEL_IMAGE}={self._machine}")
        return [(one["Id"], one["Labels"][LABEL_ORIGIN]) for one in listed]

    def _size(self, name: str) -> int:
        found = self._engine.image(name)
        return 0 if found is None else int(found["Size"])

    def _remove(self, name: str) -> bool:
        """Remove an image fetched here, unless a container was made from it; say whether so."""
        found = self._engine.image(name)
        if found is not None and not found.get("RepoTags"):
            made = [made for made, origin in self._made_here() if origin == found["Id"]]
            # First what containers are made from: while there is one, both stay.
            if not all(self._engine.remove_image(one) for one in (*made, name)):
                return False
        # With a tag it has become the host's own: nothing is fetched by tag here.
        self._book.forget(name)
        return True

    def _refuse_inside(self, reference: str) -> None:
        """Keep renters from asking the host's own network through Docker.

        :raises ImageUnknown: when the registry is not a public one.
        """
        host = registry_host(reference)
        if host != REGISTRY_DEFAULT and is_inside(self._resolve(host)):
            sentence = f"The image {reference} is not known: {host} is no public registry."
            raise ImageUnknown(sentence)

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
        if self._engine.image(bare.image_id()) is None:
            self._load(bare)
        return Image(
            image_id=bare.image_id(),
            environment={name: value for name, _, value in pairs},
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            folder=config.get("WorkingDir") or "",
            user=config.get("User") or "",
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


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _pull_error(
    reference: str, said: str, login: RegistryLogin | None
) -> ImageUnknown | ImagePullFailed:
    """Return what the renter is told; the registry's own words stay on this machine."""
    answer = registry_answer(said)
    noted = said[:2000] if login is None else answer.sentence
    logger.info("image not fetched", extra={"image": reference, "said": noted})
    answered = f"the registry answered: {answer.sentence}."
    if not answer.unknown:
        return ImagePullFailed(f"The image {reference} could not be pulled; {answered}")
    advice = "" if login is None else " Check the user name and the password of its log-in."
    return ImageUnknown(f"The image {reference} is not known; {answered}{advice}")
