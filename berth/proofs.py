"""This will ask for proofs of rentals and carry lines between the prover there and who leads it."""

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Any, Protocol
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.problem import CannotReach, Refused
from berth.reading import read
from berth.shapes import Shape
from protocol.rental_proof import WAIT_S_MAX, ProofLines
from protocol.validator import Measurement

#: asked, running: it goes on
OPEN_STATES = frozenset({"asked", "running"})


class Proof(Shape):
    id: str
    #: asked, running, passed, failed or unfinished
    state: str
    #: why it did not pass
    detail: str | None = ""
    asked_at: datetime | None = None
    ended_at: datetime | None = None
    #: the hotkey of the validator that led it
    validator: str | None = ""
    measurement: Measurement | None = None
    #: enough, less, broken, unconfirmed, disputed, in_use, unlisted, too_many or own; None: it
    #: is not decided yet
    effect: str | None = None
    #: of what was listed, in millionths
    delivered_ppm: int | None = None
    #: of what was charged, given back for it
    returned_microusd: int = 0
    #: what follows from it
    sentence: str | None = ""

    @property
    def over(self) -> bool:
        """Say whether it has ended."""
        return self.state not in OPEN_STATES


class ProofList(Shape):
    items: tuple[Proof, ...] = ()


class Proofs:
    """The proofs of rentals at one marketplace."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def ask(self, rental_id: str) -> Proof:
        """Return a new proof, which waits for a validator."""
        return read(Proof, self._exchange.send(Call("POST", _path(rental_id))))

    def list(self, rental_id: str) -> Iterator[Proof]:
        """Yield the proofs, newest first, asking for the next page only when needed."""
        for answer in pages(self._exchange, _path(rental_id)):
            yield from read(ProofList, answer).items

    def say(self, rental_id: str, proof_id: str, lines: ProofLines) -> None:
        """Hand in what the prover said."""
        path, body = f"{_path(rental_id)}/{quote(proof_id, safe='')}/lines", _body(lines)
        # A line has its number: the same again is the same.
        self._exchange.send(Call("POST", path, body=body, repeatable=True))

    def give_up(self, rental_id: str, proof_id: str) -> None:
        """End a proof that cannot go on, so that another one may begin."""
        self.say(rental_id, proof_id, ProofLines(ended=True))

    def hear(self, rental_id: str, proof_id: str, *, after: int) -> ProofLines:
        """Return what the validator said since; the call is held open while it says nothing."""
        path = f"{_path(rental_id)}/{quote(proof_id, safe='')}/lines"
        params: dict[str, str | int] = {"after": after, "wait_s": WAIT_S_MAX}
        return read(
            ProofLines, self._exchange.send(Call("GET", path, params=params, repeatable=True))
        )


class Prover(Protocol):
    """The program in the rental, seen from here; subprocess.Popen is one."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def terminate(self) -> None:
        """End the line to it."""
        ...


def carry(proofs: Proofs, *, rental_id: str, proof_id: str, prover: Prover) -> int:
    """Carry demands in and answers out until one side has ended; return how many answers.

    :raises Refused, CannotReach: when the marketplace takes no answer.
    """
    demands = threading.Thread(
        target=_carry_in, args=(proofs, rental_id, proof_id, prover), name="demands", daemon=True
    )
    demands.start()
    answers = 0
    try:
        for number, line in enumerate(_lines(prover)):
            said = ProofLines(first=number, lines=(line,))
            proofs.say(rental_id, proof_id, said)
            answers = number + 1
    except BaseException:
        prover.terminate()
        raise
    return answers


def _carry_in(proofs: Proofs, rental_id: str, proof_id: str, prover: Prover) -> None:
    after = 0
    try:
        while True:
            heard = proofs.hear(rental_id, proof_id, after=after)
            for line in heard.lines:
                _write(prover, line.encode() + b"\n")
            after += len(heard.lines)
            if heard.ended:
                return
    except (Refused, CannotReach, OSError, ValueError):
        # Who reads the answers hears of it: the prover ends.
        return
    finally:
        prover.terminate()


def _lines(prover: Prover) -> Iterable[str]:
    if prover.stdout is not None:
        for line in prover.stdout:
            yield line.decode(errors="replace").rstrip("\n")


def _write(prover: Prover, content: bytes) -> None:
    if prover.stdin is not None:
        prover.stdin.write(content)
        prover.stdin.flush()


def _path(rental_id: str) -> str:
    return f"/rentals/{quote(rental_id, safe='')}/proofs"


def _body(lines: ProofLines) -> dict[str, Any]:
    return lines.model_dump(mode="json")
