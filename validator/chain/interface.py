"""This will say what the validator needs of a chain."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import bittensor_core

from validator.domain.submission import Outcome, Standing


class ChainSilent(Exception):
    """The chain cannot be read; nothing was sent. The message says why."""


class ChainUnusable(Exception):
    """The network is none, or its SDK is not installed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending ended."""

    outcome: Outcome
    detail: str = ""
    #: "block-index", "" where it was not taken in
    extrinsic_id: str = ""
    #: of drand; None: not a commit
    reveal_round: int | None = None


class Session(Protocol):
    """One connection, within one deadline."""

    def look(self, hotkey: str) -> Standing:
        """Return how the subnet stands for this validator, everything at one block.

        :raises ChainSilent: when it cannot be had.
        """
        ...

    def send(
        self,
        *,
        keypair: bittensor_core.Keypair,
        share_by_uid: Mapping[int, Fraction],
        version_key: int,
    ) -> Sent:
        """Set or commit weights and say how it ended; never raises for the chain."""
        ...


class Chain(Protocol):
    """A place that takes weights."""

    def session(self) -> AbstractContextManager[Session]:
        """Yield a connection.

        :raises ChainSilent: when there is none to be had.
        :raises ChainUnusable: when there is no such network, or no SDK for it.
        """
        ...
