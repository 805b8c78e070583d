"""This will build the OpenSSH command of a rental, with its host key pinned."""

import base64
import hashlib
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from berth.problem import Refused
from berth.shapes import SshDoor

_HOST = re.compile(r"^[0-9A-Za-z:][0-9A-Za-z.:_-]{0,252}$")
#: a number too: Docker's USER may be one
_USER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$")
_KEY = re.compile(r"^(ssh-ed25519) ([0-9A-Za-z+/]{40,200}={0,2})(?: [^\r\n]*)?$")
_PORT = re.compile(r"^[0-9]{1,5}$")
PORTS = 65536
_ID = re.compile(r"^[0-9A-Za-z-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of this computer alone that leads to one inside the rental."""

    here: int
    there: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return ``8888``, the same port on both sides, or ``9000:8888``, the one here first.

        :raises Refused: ``port_malformed``.
        """
        here, parted, there = text.partition(":")
        both = (here, there if parted else here)
        ports = [int(one) for one in both if _PORT.fullmatch(one)]
        if len(ports) != 2 or not all(0 < port < PORTS for port in ports):
            sentence = f"{text!r} is no port. Write 8888, or 9000:8888 for another one here."
            raise Refused("port_malformed", sentence)
        return cls(*ports)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two rentals between which something is copied."""

    rental_id: str
    door: SshDoor
    known_hosts: Path
    #: None: ssh chooses by itself
    identity: Path | None
    path: str


def known_hosts_line(rental_id: str, door: SshDoor) -> str:
    """Return the one line that says which key the rental's door must show.

    :raises Refused: ``door_malformed`` when it is no ssh-ed25519 key.
    """
    match = _KEY.fullmatch(door.host_key.strip())
    if match is None:
        raise Refused("door_malformed", "The rental's host key is not an ssh-ed25519 key.")
    return f"{_alias(rental_id)} {match[1]} {match[2]}\n"


def fingerprint(door: SshDoor) -> str:
    """Return the door's host key as OpenSSH shows it to people: SHA256:...

    :raises Refused: ``door_malformed`` when it is no ssh-ed25519 key.
    """
    match = _KEY.fullmatch(door.host_key.strip())
    try:
        content = base64.b64decode(match[2], validate=True) if match else b""
    except ValueError:
        content = b""
    if not content:
        raise Refused("door_malformed", "The rental's host key is not an ssh-ed25519 key.")
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def ssh_command(
    *,
    rental_id: str,
    door: SshDoor,
    known_hosts: Path,
    identity: Path | None,
    remote: Sequence[str] = (),
    forwards: Sequence[Forward] = (),
    has_shell: bool = True,
) -> list[str]:
    """Return the argv of ssh. What the marketplace sent can become no option of it.

    ``remote``: one item is a line for the remote shell; several are one command, each kept whole.
    ``forwards``: ports of this computer that lead into the rental; ``has_shell``: False: only they.

    :raises Refused: ``door_malformed`` when host or user is not plain.
    """
    argv = ["ssh", *_options(rental_id, door, known_hosts, identity)]
    argv += [] if has_shell else ["-N"]
    if forwards:
        # Without this a port that somebody has already would be a warning among others.
        argv += ["-o", "ExitOnForwardFailure=yes"]
    for one in forwards:
        argv += ["-L", f"127.0.0.1:{one.here}:127.0.0.1:{one.there}"]
    argv += ["-p", str(door.port), "-l", door.user, "--", door.host]
    if remote:
        argv.append(remote[0] if len(remote) == 1 else shlex.join(remote))
    return argv


def scp_command(
    *,
    rental_id: str,
    door: SshDoor,
    known_hosts: Path,
    identity: Path | None,
    path: str,
    here: str,
    fetches: bool,
) -> list[str]:
    """Return the argv of scp between a path in the rental and a file or folder here.

    ``fetches``: from the rental to here.

    :raises Refused: ``door_malformed`` when host or user is not plain.
    """
    argv = ["scp", "-r", *_options(rental_id, door, known_hosts, identity)]
    argv += ["-o", f"User={door.user}", "-P", str(door.port), "--"]
    host = f"[{door.host}]" if ":" in door.host else door.host
    # What has a colon before a slash would be another machine's to scp.
    local = here if here.startswith("/") else f"./{here}"
    there = f"{host}:{path}"
    return [*argv, there, local] if fetches else [*argv, local, there]


def between_config(sides: Sequence[Side]) -> str:
    """Return a configuration of ssh in which each rental is a host, its key pinned.

    scp takes one set of options for both ends, and here each has a port and a key of its own. With
    ``-F`` ssh reads neither the person's file nor the computer's. So both are named at the end, and
    what else is set up, such as an agent or a way through a firewall, holds as always.

    :raises Refused: ``door_malformed`` when host or user is not plain.
    """
    lines = []
    for side in sides:
        options = _pairs(side.rental_id, side.door, side.known_hosts, side.identity)
        options += [
            f"HostName={side.door.host}",
            f"Port={side.door.port}",
            f"User={side.door.user}",
        ]
        if side.identity is not None:
            options.append(f"IdentityFile={_quoted(side.identity)}")
        lines += [f"Host {_alias(side.rental_id)}", *(f"  {option}" for option in options)]
    return "\n".join([*lines, "Host *", "  Include ~/.ssh/config /etc/ssh/ssh_config", ""])


def between_command(config: Path, source: Side, target: Side) -> list[str]:
    """Return the argv of scp from one rental to another, through this computer."""
    ends = [f"{_alias(side.rental_id)}:{side.path}" for side in (source, target)]
    return ["scp", "-3", "-r", "-F", str(config), "--", *ends]


def ssh_program(search_path: str | None) -> str:
    """Return where OpenSSH's client is.

    :raises Refused: ``ssh_missing`` when there is none.
    """
    return program("ssh", search_path)


def program(name: str, search_path: str | None) -> str:
    """Return where one of OpenSSH's programs is.

    :raises Refused: ``ssh_missing`` when there is none.
    """
    found = shutil.which(name, path=search_path)
    if found is None:
        raise Refused("ssh_missing", f"There is no {name} here. Install OpenSSH's client.")
    return found


class Doors:
    """The folder that remembers each rental's host key and the private key that opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rentals"

    def pin(self, rental_id: str, door: SshDoor) -> Path:
        """Return the known_hosts file of this rental.

        :raises Refused: ``host_key_changed`` when another key was pinned for it before.
        """
        line = known_hosts_line(rental_id, door)
        path = self._of(rental_id) / "known_hosts"
        if path.exists() and path.read_text(encoding="utf-8") != line:
            sentence = (
                "The marketplace now names another host key for this rental than before. "
                "A rental keeps its key until its end: ask the site's operator what happened, "
                f"and delete {path} only if you know."
            )
            raise Refused("host_key_changed", sentence)
        path.write_text(line, encoding="utf-8")
        return path

    def remember_identity(self, rental_id: str, identity: Path) -> None:
        """Remember which private key opens the rental."""
        (self._of(rental_id) / "identity").write_text(str(identity), encoding="utf-8")

    def identity(self, rental_id: str) -> Path | None:
        """Return the remembered private key, None where ssh should choose by itself."""
        path = self._of(rental_id) / "identity"
        return Path(path.read_text(encoding="utf-8")) if path.exists() else None

    def between(self, source: Side, target: Side) -> Path:
        """Return the configuration in which these two rentals are known."""
        path = self._of(source.rental_id) / f"to-{_checked(target.rental_id)}"
        path.write_text(between_config([source, target]), encoding="utf-8")
        return path

    def forget(self, rental_id: str) -> None:
        """Remove what is remembered of the rental."""
        shutil.rmtree(self._of(rental_id), ignore_errors=True)

    def _of(self, rental_id: str) -> Path:
        folder = self._folder / _checked(rental_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _options(rental_id: str, door: SshDoor, known_hosts: Path, identity: Path | None) -> list[str]:
    """Return the options that ssh and scp share; what the marketplace sent can become none."""
    options = _pairs(rental_id, door, known_hosts, identity)
    argv = [word for option in options for word in ("-o", option)]
    return argv if identity is None else [*argv, "-i", str(identity)]


def _pairs(rental_id: str, door: SshDoor, known_hosts: Path, identity: Path | None) -> list[str]:
    if (
        not _HOST.fullmatch(door.host)
        or not _USER.fullmatch(door.user)
        or not 0 < door.port < PORTS
    ):
        raise Refused("door_malformed", "The rental's SSH address is malformed.")
    options = [
        f"UserKnownHostsFile={_quoted(known_hosts)}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        f"HostKeyAlias={_alias(rental_id)}",
        "HostKeyAlgorithms=ssh-ed25519",
        "CheckHostIP=no",
        "UpdateHostKeys=no",
        "ConnectTimeout=20",
    ]
    if identity is not None:
        options.append("IdentitiesOnly=yes")
    return options


def _alias(rental_id: str) -> str:
    return f"berth-{_checked(rental_id)}"


def _checked(rental_id: str) -> str:
    if not _ID.fullmatch(rental_id):
        raise Refused("door_malformed", "The rental's id is malformed.")
    return rental_id


def _quoted(path: Path) -> str:
    """Return the path as an ssh option takes it: % doubled, quoted where it has a blank."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
