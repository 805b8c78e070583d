"""This will say which images may be rented here, and leave an image only its files."""

import hashlib
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pydantic import Field

from protocol.address import is_public
from protocol.message import Message

#: on every image made here: by which machine, and from which image
LABEL_IMAGE = "berth.image"
LABEL_ORIGIN = "berth.origin"
REGISTRY_DEFAULT = "registry-1.docker.io"


class Image(Message):
    """What a placement needs to know of its image."""

    #: the digest of the image's configuration: it names exactly one content
    image_id: str
    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    #: where the command and every session start; empty: "/", and the home of whoever logs in
    folder: str = ""
    #: whom the command runs as, in Docker's words; empty: root
    user: str = ""


class BareImage(Message):
    """An image's files without its wishes: no volumes, folder, labels, health checks or triggers.

    A volume would be a folder of the host's disk, outside the rental's own; a label may mean
    something to another program of the host.
    """

    architecture: str
    os: str
    layers: tuple[str, ...]
    environment: tuple[str, ...]
    #: label -> value that this machine finds it by
    labels: dict[str, str] = Field(default_factory=dict)

    def content(self) -> bytes:
        """Return the image's configuration file; its SHA-256 is the image's id."""
        config = {"Env": list(self.environment), "Labels": self.labels}
        whole = {
            "architecture": self.architecture,
            "os": self.os,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": list(self.layers)},
        }
        return json.dumps(whole, sort_keys=True).encode()

    def image_id(self) -> str:
        """Return the id that Docker gives to this image."""
        return f"sha256:{hashlib.sha256(self.content()).hexdigest()}"


def is_allowed(reference: str, *, patterns: Sequence[str]) -> bool:
    """Say whether the host hands this image out from his own machine."""
    return any(fnmatchcase(reference, pattern) for pattern in patterns)


def registry_host(reference: str) -> str:
    """Return the host that the image is fetched from, without its port."""
    first, slash, _ = reference.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        return REGISTRY_DEFAULT
    return first.partition(":")[0]


def repository(reference: str) -> str:
    """Return the reference without its tag and digest."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def is_inside(addresses: Sequence[str]) -> bool:
    """Say whether one of these addresses belongs to the host's own network, not to the world."""
    return any(not is_public(address) for address in addresses)
