"""This will hold one conversation with a prover: a demand, its answer, and the time between."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

DIGEST_HEX = 64


class ProofWrong(Exception):
    """An answer was not what the demanded work gives."""


class ProverBusy(Exception):
    """The machine would not even begin: another validator's proof runs, or no core is free."""


class ProofUnfinished(Exception):
    """The machine gave up or was too late; that proves nothing, neither way."""


@dataclass(frozen=True, slots=True)
class Randomness:
    """Where nonces and choices come from; a simulation brings its own."""

    #: bytes wanted -> bytes
    draw: Callable[[int], bytes]
    #: upper bound -> a number below it
    below: Callable[[int], int]


class Answers(Protocol):
    """Lines as a conversation uses them; a simulation brings its own."""

    @property
    def received_at(self) -> float: ...

    def send(self, message: Mapping[str, object]) -> None: ...

    async def receive(self, *, deadline: float) -> Mapping[str, object]: ...


class Conversation:
    """Demands and answers over one prover's lines."""

    def __init__(
        self, lines: Answers, answer_s_max: float, *, now: Callable[[], float] | None = None
    ) -> None:
        """``now``: the clock of ``lines.received_at``; None: the event loop's."""
        self._lines = lines
        self._answer_s_max = answer_s_max
        self._now = now or asyncio.get_running_loop().time

    async def ask(
        self, demand: Mapping[str, object], *, s_max: float | None = None
    ) -> tuple[Mapping[str, object], float]:
        """Send one demand; return its answer and the seconds it took.

        :raises ProofWrong: when it answers another demand.
        :raises ProverBusy, ProofUnfinished: when it refuses to begin, or gives up.
        :raises AnswerLate, TooMuchOutput, LineRefused, Unreachable: as ``Lines.receive``.
        """
        started, deadline = self._send(demand, s_max or self._answer_s_max)
        answer = await self._receive(demand, deadline)
        # As it came off the socket: what waited in this program is not the machine's fault.
        return answer, self._since(started)

    async def ask_each(
        self,
        demand: Mapping[str, object],
        parts: Mapping[int, Mapping[str, object]],
        *,
        s_max: float,
    ) -> dict[int, tuple[Mapping[str, object], float]]:
        """Send one demand with a part for each GPU; return each one's answer and its seconds.

        They come as the GPUs finish, each timed by itself. Raises as ``ask`` does.
        """
        gpus = [{"gpu": index, **part} for index, part in parts.items()]
        started, deadline = self._send({**demand, "gpus": gpus}, s_max)
        answers: dict[int, tuple[Mapping[str, object], float]] = {}
        while len(answers) < len(parts):
            answer = await self._receive(demand, deadline)
            index = answer.get("gpu")
            if not isinstance(index, int) or index not in parts or index in answers:
                raise ProofWrong("The prover answered for a GPU that was not asked, or twice.")
            answers[index] = answer, self._since(started)
        return answers

    def bye(self) -> None:
        """End the conversation."""
        self._lines.send({"op": "bye"})

    def _send(self, demand: Mapping[str, object], s_max: float) -> tuple[float, float]:
        deadline = asyncio.get_running_loop().time() + s_max
        started = self._now()
        self._lines.send(demand)
        return started, deadline

    def _since(self, started: float) -> float:
        elapsed_s = self._lines.received_at - started
        if elapsed_s < 0:
            raise ProofWrong("The prover answered before it was asked.")
        return elapsed_s

    async def _receive(self, demand: Mapping[str, object], deadline: float) -> Mapping[str, object]:
        answer = await self._lines.receive(deadline=deadline)
        if answer.get("op") == "error":
            said = str(answer.get("message", "no reason")).rstrip(".")
            if demand["op"] == "hello":
                raise ProverBusy(f"The prover did not begin: {said}.")
            raise ProofUnfinished(f"The prover gave up: {said}.")
        if answer.get("op") != demand["op"]:
            raise ProofWrong("The prover answered another demand.")
        return answer


def digest_of(value: object) -> bytes:
    """Return the digest that was sent as 64 hex digits.

    :raises ProofWrong: when it is none.
    """
    if isinstance(value, str) and len(value) == DIGEST_HEX:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise ProofWrong("The prover sent something that is no digest.")
