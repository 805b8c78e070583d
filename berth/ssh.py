"""This will build the OpenSSH command of a rental, with its host key pinned."""

import base64
import hashlib
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from berth.problem import Refused
from berth.shapes import SshDoor

_HOST = re.compile(r"^[0-9A-Za-z:][0-9A-Za-z.:_-]{0,252}$")
#: a number too: Docker's USER may be one
_USER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$")
_KEY = re.compile(r"^(ssh-ed25519) ([0-9A-Za-z+/]{40,200}={0,2})(?: [^\r\n]*)?$")
_ID = re.compile(r"^[0-9A-Za-z-]{1,64}$")


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
) -> list[str]:
    """Return the argv of ssh. What the marketplace sent can become no option of it.

    ``remote``: one item is a line for the remote shell; several are one command, each kept whole.

    :raises Refused: ``door_malformed`` when host or user is not plain.
    """
    argv = ["ssh", *_options(rental_id, door, known_hosts, identity)]
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

    def forget(self, rental_id: str) -> None:
        """Remove what is remembered of the rental."""
        shutil.rmtree(self._of(rental_id), ignore_errors=True)

    def _of(self, rental_id: str) -> Path:
        folder = self._folder / _checked(rental_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _options(rental_id: str, door: SshDoor, known_hosts: Path, identity: Path | None) -> list[str]:
    """Return the options that ssh and scp share; what the marketplace sent can become none."""
    if (
        not _HOST.fullmatch(door.host)
        or not _USER.fullmatch(door.user)
        or not 0 < door.port < 65536
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
    argv = [word for option in options for word in ("-o", option)]
    return argv if identity is None else [*argv, "-i", str(identity)]


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
