"""This will take and give random bytes over the line that demands come on, for it to be timed."""

import hashlib
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator

from prover.lines import Answer, Demand, Request, Session, natural
from prover.merkle import sha256

PARTS_MOST = 1024
PART_BYTES_MOST = 1 << 18


class Network:
    """The demands on the line."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._digest = hashlib.sha256()

    def demands(self) -> dict[str, Demand]:
        """Return what is answered here, by operation."""
        return {"net_part": self._take, "net_down": self._taken, "net_up": self._give}

    def _take(self, request: Request) -> Iterator[Answer]:
        """Take one part and say nothing: an answer to each would cost its way back."""
        self._digest.update(b64decode(request["data"], validate=True))
        return iter(())

    def _taken(self, request: Request) -> Answer:
        digest, self._digest = self._digest, hashlib.sha256()
        return {"digest": digest.hexdigest()}

    def _give(self, request: Request) -> Iterator[Answer]:
        parts = natural(request, "parts", PARTS_MOST)
        part_bytes = natural(request, "part_bytes", PART_BYTES_MOST)
        nonce = bytes.fromhex(request["nonce"])
        seed = sha256(sha256(self._session.bind + b"net") + nonce)
        for number in range(parts):
            stream = hashlib.shake_128(seed + struct.pack("<Q", number))
            yield {"data": b64encode(stream.digest(part_bytes)).decode()}
