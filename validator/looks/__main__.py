"""This will look at machines as it is told on its standard input, many at once, until that ends.

``python -m validator.looks BEAT_S``: started by ``worker.py``, never by hand.
"""

import asyncio
import logging
import os
import sys

from validator import clock
from validator.barrier import GateShut
from validator.inspection.machine import MachineInspector
from validator.looks.confine import confine
from validator.looks.messages import (
    ANSWER_BYTES_MAX,
    Answer,
    Arrived,
    Beat,
    Order,
    Ready,
    Said,
    Told,
    line_of,
)

#: of which a look holds one, while it resolves a name two
FILES_MAX = 2_048


class Server:
    """Takes the looks that it is told to, each as a task."""

    def __init__(self, answers: asyncio.StreamWriter) -> None:
        self._answers = answers
        self._randomness = clock.randomness()
        self._looks: set[asyncio.Task[None]] = set()
        self._gates: dict[int, asyncio.Future[str | None]] = {}

    def say(self, said: Said) -> None:
        """Say one thing to the validator."""
        self._answers.write(line_of(said))

    def take(self, told: Told) -> None:
        """Do what the validator says."""
        if told.order is not None:
            look = asyncio.ensure_future(self._look(told.order))
            self._looks.add(look)
            look.add_done_callback(_ended)
            look.add_done_callback(self._looks.discard)
        if told.passage is not None:
            gate = self._gates.pop(told.passage.number, None)
            if gate is not None and not gate.done():
                gate.set_result(told.passage.shut)

    async def _look(self, order: Order) -> None:
        async def gate() -> None:
            opened = self._gates[order.number] = asyncio.get_running_loop().create_future()
            self.say(Said(arrived=Arrived(number=order.number)))
            shut = await opened
            if shut is not None:
                raise GateShut(shut)

        inspector = MachineInspector(
            log_in=lambda _: order.credential,
            allow_private=order.allow_private,
            proof_memory_bytes_max=order.proof_memory_bytes_max,
            randomness=self._randomness,
        )
        look = await inspector.look(order.target, facts_only=order.facts_only, gate=gate)
        self._gates.pop(order.number, None)
        self.say(Said(answer=Answer(number=order.number, look=look)))

    async def beat(self, every_s: float) -> None:
        """Say again and again that this loop turns."""
        while True:
            await asyncio.sleep(every_s)
            self.say(Said(beat=Beat()))


def _ended(look: "asyncio.Task[None]") -> None:
    """End the whole process at a fault of ours, as the looks could otherwise wait for ever."""
    if not look.cancelled() and (error := look.exception()) is not None:
        logging.getLogger(__name__).error("Look failed", exc_info=error)
        os._exit(1)


async def _main(confined: tuple[str, ...], *, beat_s: float) -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=ANSWER_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout
    )
    server = Server(asyncio.StreamWriter(transport, protocol, None, loop))
    server.say(Said(ready=Ready(confined=confined)))
    beating = asyncio.ensure_future(server.beat(beat_s))
    while line := await orders.readline():
        server.take(Told.model_validate_json(line))
    beating.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(_main(confine(files_max=FILES_MAX), beat_s=float(sys.argv[1])))
    except Exception:
        logging.getLogger(__name__).exception("The process for looks failed")
        os._exit(1)
    # Threads may still wait for names that nobody wants to know any more.
    os._exit(0)
