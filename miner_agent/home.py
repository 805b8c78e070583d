"""This will keep who this machine is, in the agent's state directory: its lock, key and journal."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent import enrolment
from miner_agent.enrolment import Enrolment
from miner_agent.journal import Journal
from miner_agent.keys import make_private_key, read_private_key
from miner_agent.settings import Settings
from protocol.signing import public_key_of

#: so much of the machine key names the machine's objects in Docker
NAME_CHARACTERS = 12
JOURNAL = "journal.sqlite3"
NOT_ENROLLED = "This machine is not enrolled; run: berth-agent enroll --url URL"


class NotEnrolled(Exception):
    """This machine is nobody's yet."""


class AlreadyRunning(Exception):
    """Another agent works with the same state directory."""


class Home:
    """The state directory, made at its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key_path = settings.home / "machine_key"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock that only one agent can have.

        :raises AlreadyRunning: when another process holds it.
        """
        self.settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        descriptor = os.open(self.settings.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            message = f"Another agent is running with {self.settings.home}."
            raise AlreadyRunning(message) from error
        finally:
            os.close(descriptor)

    def key(self) -> Ed25519PrivateKey:
        """Return the machine's key.

        :raises NotEnrolled: when there is none yet.
        """
        if not self.key_path.exists():
            raise NotEnrolled(NOT_ENROLLED)
        return read_private_key(self.key_path)

    def enrolment(self) -> Enrolment:
        """Return who this machine is to its marketplace.

        :raises NotEnrolled: when it was never enrolled.
        """
        enrolled = enrolment.read(self.settings.home)
        if enrolled is None or not self.key_path.exists():
            raise NotEnrolled(NOT_ENROLLED)
        return enrolled

    def key_or_new(self) -> Ed25519PrivateKey:
        """Return the machine's key, making it at the first call."""
        return self.key() if self.key_path.exists() else make_private_key(self.key_path)

    def name(self) -> str:
        """Return the machine's name in labels and networks."""
        return public_key_of(self.key())[:NAME_CHARACTERS]

    def journal(self) -> Journal:
        """Return the journal."""
        path = self.settings.home / JOURNAL
        # Renters' environments are in it, and often their passwords.
        path.touch(mode=0o600)
        return Journal(path)

    def journal_if_any(self) -> Journal | None:
        """Return the journal, None where this machine never had one."""
        return self.journal() if (self.settings.home / JOURNAL).exists() else None

    def is_served(self) -> bool:
        """Say whether an agent works with this state directory."""
        try:
            descriptor = os.open(self.settings.home / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
