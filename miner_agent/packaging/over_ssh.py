"""This will run lines of shell on another machine, over SSH, as its root."""

import base64
import hashlib
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import paramiko

from miner_agent.packaging.shells import StepFailed, said

CONNECT_S = 15
KEEP_ALIVE_S = 15
ROOT = "root"
KNOWN_HOSTS = Path(".ssh/known_hosts")


class NotConnected(Exception):
    """The machine was not reached, is another one than was meant, or lets nobody in."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who on which machine; ``user@host`` or ``user@host:port``."""

    user: str
    host: str
    port: int = 22

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Return what the text names.

        :raises NotConnected: when it names nothing.
        """
        user, at, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        if not colon:
            host, port = place, "22"
        if not at or not user or not host or host.startswith("-") or not port.isdecimal():
            raise NotConnected("Name the machine as user@host or user@host:port.")
        return cls(user, host.strip("[]"), int(port))


class SshShell:
    """A connection that is open while the object is used as a context."""

    def __init__(
        self,
        target: Target,
        *,
        fingerprint: str | None = None,
        identity: Path | None = None,
        known_hosts: Path | None = None,
    ) -> None:
        self._target = target
        self._fingerprint = fingerprint
        self._identity = identity
        self._known_hosts = known_hosts or Path.home() / KNOWN_HOSTS
        self._client = paramiko.SSHClient()

    def __enter__(self) -> "SshShell":
        """Connect.

        :raises NotConnected: when the host key is not the one that was named or is known.
        """
        if self._known_hosts.exists():
            self._client.load_host_keys(str(self._known_hosts))
        self._client.set_missing_host_key_policy(_OnlyNamed(self._fingerprint))
        target = self._target
        try:
            self._client.connect(
                target.host,
                port=target.port,
                username=target.user,
                key_filename=str(self._identity) if self._identity else None,
                look_for_keys=self._identity is None,
                allow_agent=self._identity is None,
                timeout=CONNECT_S,
                banner_timeout=CONNECT_S,
                auth_timeout=CONNECT_S,
            )
        except paramiko.BadHostKeyException as error:
            self._client.close()
            message = (
                f"{target.host} shows another host key than {self._known_hosts} has:"
                f" {fingerprint_of(error.key)}. Somebody may be in between."
            )
            raise NotConnected(message) from error
        except (paramiko.SSHException, OSError) as error:
            self._client.close()
            raise NotConnected(f"{target.host}: {error}") from error
        self._transport().set_keepalive(KEEP_ALIVE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._client.close()

    def run(self, script: str, *, deadline_s: float) -> str:
        """Run it by /bin/sh as root, by sudo where the user is not root."""
        command = "/bin/sh -e" if self._target.user == ROOT else "sudo -n /bin/sh -e"
        try:
            return self._run(command, script, deadline_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise StepFailed(f"The connection is gone: {error}") from error

    def put(self, path: str, content: bytes) -> None:
        """Write a file that only root can read."""
        text = base64.b64encode(content).decode()
        # Through the shell: where the user is not root, SFTP would write as somebody else.
        self.run(
            f"umask 077\nbase64 -d > {shlex.quote(path)} <<'END'\n{text}\nEND\n", deadline_s=300
        )

    def _run(self, command: str, script: str, deadline_s: float) -> str:
        channel = self._transport().open_session(timeout=CONNECT_S)
        deadline = time.monotonic() + deadline_s
        try:
            channel.set_combine_stderr(True)
            channel.settimeout(deadline_s)
            channel.exec_command(command)
            channel.sendall(script.encode())
            channel.shutdown_write()
            answer = b""
            while chunk := channel.recv(65536):
                answer += chunk
                channel.settimeout(max(0.1, deadline - time.monotonic()))
            status = channel.recv_exit_status()
        except TimeoutError as error:
            raise StepFailed(f"It took longer than {deadline_s:g} s.") from error
        finally:
            channel.close()
        text = answer.decode(errors="replace")
        if status != 0:
            raise StepFailed(said(text))
        return text

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None:
            raise StepFailed("The connection is gone.")
        return transport


class _OnlyNamed(paramiko.MissingHostKeyPolicy):
    """Lets in the host key whose fingerprint was named, and no other."""

    def __init__(self, fingerprint: str | None) -> None:
        self._fingerprint = fingerprint

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Refuse what is unknown, and say what it is."""
        shown = fingerprint_of(key)
        if self._fingerprint is None:
            raise paramiko.SSHException(
                f"its host key is not known. It shows {shown}: compare that with"
                " ssh-keygen -lf on the machine, then add --fingerprint and it."
            )
        if shown != self._fingerprint:
            raise paramiko.SSHException(
                f"it shows the host key {shown} and not {self._fingerprint}."
            )


def fingerprint_of(key: paramiko.PKey) -> str:
    """Return ``SHA256:...`` as ssh-keygen prints it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
