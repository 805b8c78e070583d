"""This will define what runs on a machine: its image, its files, its ports, its limits."""

import posixpath
import re
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from protocol.hardware import Bytes, Resources
from protocol.message import NO_CONTROL, NO_NUL, Message
from protocol.signing import Digest

Port = Annotated[int, Field(ge=1, le=65535)]
#: what Docker takes as an image: never an option, a URL or a path out of its API
IMAGE_REFERENCE = re.compile(
    r"[0-9A-Za-z][0-9A-Za-z._-]*(:[0-9]+)?(/[0-9A-Za-z][0-9A-Za-z._-]*)*"
    r"(:[0-9A-Za-z_][0-9A-Za-z._-]*)?(@sha256:[0-9a-f]{64})?"
)
#: where a rental's own SSH server listens
DOOR_PORT = 22
PORTS_MOST = 16
VOLUMES_MOST = 8
INPUTS_MOST = 256
OUTPUTS_MOST = 1024
#: what runs a script, which is one word more: every image that has a shell has it there
SHELL = ("/bin/sh", "-c")
COMMAND_WORDS_MOST = 256
#: characters of a word of a command
COMMAND_WORD_MOST = 4096
#: the command, and the environment's names and values, together; the kernel hands a program not
#: much more, and a machine's whole reply has to fit into what its agent reads
HANDED_BYTES_MOST = 256 << 10
#: where a job finds its inputs and leaves its outputs
INPUT_FOLDER, OUTPUT_FOLDER = "/input", "/output"
#: what a job said, sent back beside its outputs: of each the end, so much at most
LOG_FILES = (".stdout", ".stderr")
LOG_BYTES_MOST = 64 << 10
#: what a volume may not cover: the machine's own mounts, and what makes a system
RESERVED_FOLDERS = (
    "/.access",
    "/.access-keys",
    "/berth-mps",
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    INPUT_FOLDER,
    OUTPUT_FOLDER,
)


def _inside_path(path: str) -> str:
    if not path.startswith("/") or posixpath.normpath(path) != path or path.startswith("//"):
        raise ValueError("A path inside is absolute and plain: /data, not data/ or /data/../etc.")
    if path == "/" or any(path == one or path.startswith(f"{one}/") for one in RESERVED_FOLDERS):
        raise ValueError(f"A volume cannot be at {path}: choose a folder such as /data.")
    return path


def _relative_path(path: str) -> str:
    if (
        path.startswith("/")
        or posixpath.normpath(path) != path
        or path.split("/")[0] in ("..", ".")
    ):
        raise ValueError("A file's path is relative and plain: data/a.txt, not ../a.txt.")
    return path


#: a folder inside a container where a volume may be
InsidePath = Annotated[
    str, Field(max_length=255, pattern=r"^/[^\x00-\x1f\x7f:,\\]+$"), AfterValidator(_inside_path)
]
#: one name of a path: neither empty nor one or two dots
_NAME = r"(\.{0,2}[^\x00-\x1f\x7f\\/.][^\x00-\x1f\x7f\\/]*|\.{3}[^\x00-\x1f\x7f\\/]*)"
#: a file below a job's input or output folder
RelativePath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f\\]+$",
        # The whole rule, for who reads the description; who breaks it reads a sentence.
        json_schema_extra={"pattern": f"^{_NAME}(/{_NAME})*$"},
    ),
    AfterValidator(_relative_path),
]


class PlacementKind(StrEnum):
    #: a person's own machine: an SSH door and the declared ports; it ends when it is stopped
    RENTAL = "rental"
    #: one shot: no network, inputs in, outputs out; it ends when its command exits
    JOB = "job"
    #: one HTTP port, which only the marketplace's gateway reaches; it ends when it is stopped
    REPLICA = "replica"


class VolumeMount(Message):
    """Where a volume of this machine is inside; one volume is in one placement at a time."""

    volume_id: UUID
    path: InsidePath


class JobFile(Message):
    """A file of a job, by its content."""

    #: below /input or /output
    path: RelativePath
    #: sha256 of its bytes
    digest: Digest
    size_bytes: Bytes


class Workload(Message):
    """What runs: an image, its environment and the resources it may use."""

    kind: PlacementKind = PlacementKind.RENTAL
    image: Annotated[str, Field(min_length=1, max_length=500, pattern=NO_CONTROL)]
    #: empty: the image's own command; may hold passwords too, so no repr shows it
    command: Annotated[
        tuple[Annotated[str, Field(max_length=COMMAND_WORD_MOST, pattern=NO_NUL)], ...],
        Field(max_length=COMMAND_WORDS_MOST, repr=False),
    ] = ()
    #: often holds passwords: never logged, shown by no repr
    environment: Annotated[
        dict[
            Annotated[str, Field(pattern=NO_NUL)],
            Annotated[str, Field(max_length=32_768, pattern=NO_NUL)],
        ],
        Field(max_length=512, repr=False),
    ] = Field(default_factory=dict)
    resources: Resources
    #: TCP ports inside that the machine publishes beside the SSH door; of rentals only
    ports: Annotated[tuple[Port, ...], Field(max_length=PORTS_MOST)] = ()
    #: of rentals and replicas
    volumes: Annotated[tuple[VolumeMount, ...], Field(max_length=VOLUMES_MOST)] = ()
    #: where a replica answers HTTP, and of replicas only
    http_port: Port | None = None
    #: what a job finds in /input; of jobs only
    inputs: Annotated[tuple[JobFile, ...], Field(max_length=INPUTS_MOST)] = ()
    #: how much of /output a job may send back, beside LOG_FILES; of jobs only
    outputs_bytes_max: Bytes = 0
    #: what starts the container, such as "runsc"; empty: what the host has chosen
    runtime: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$|^$")] = ""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = self.kind
        if self.ports and kind is not PlacementKind.RENTAL:
            raise ValueError("Only a rental publishes ports.")
        if len(set(self.ports)) < len(self.ports) or DOOR_PORT in self.ports:
            raise ValueError("Name each port once, and not 22: that is the SSH door's.")
        if self.volumes and kind is PlacementKind.JOB:
            raise ValueError("A job has no volumes: give it inputs.")
        if len({mount.volume_id for mount in self.volumes}) < len(self.volumes):
            raise ValueError("Name each volume once.")
        if _are_nested([mount.path for mount in self.volumes]):
            raise ValueError("A volume cannot be inside another one.")
        if (self.http_port is not None) is not (kind is PlacementKind.REPLICA):
            raise ValueError("A replica has an HTTP port, and nothing else has one.")
        if (self.inputs or self.outputs_bytes_max) and kind is not PlacementKind.JOB:
            raise ValueError("Only a job has inputs and outputs.")
        if _are_nested([file.path for file in self.inputs]):
            raise ValueError("Name each input once, and none as the folder of another one.")
        handed = (*self.command, *self.environment, *self.environment.values())
        if sum(len(text.encode()) for text in handed) > HANDED_BYTES_MOST:
            most = f"{HANDED_BYTES_MOST >> 10} KiB"
            raise ValueError(f"The command and the environment are at most {most} in all.")
        return self


class DesiredVolume(Message):
    """A sized folder that outlives its placements. Silence about one removes nothing."""

    volume_id: UUID
    size_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 50)]
    #: True: remove it and its files, then report it as gone until it is desired no more
    remove: bool = False


class VolumeState(StrEnum):
    #: it is there
    READY = "ready"
    #: nothing of it is left on the machine
    GONE = "gone"
    #: it could not be made; see the problem
    REFUSED = "refused"


def _are_nested(paths: list[str]) -> bool:
    ordered = sorted(f"{path}/" for path in paths)
    return any(later.startswith(former) for former, later in pairwise(ordered))
