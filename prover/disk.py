"""This will fill a bounded file and read it back at random, for a validator to time.

The file is in the folder that placements' disks lie on, and has no name: nothing of it is left,
however this process ends. Each of its pages is another one, so that no disk saves any by comparing
them; a machine may still hold all of it in memory, so this measures a disk and proves none.
"""

import contextlib
import hashlib
import mmap
import os
import struct
from concurrent.futures import ThreadPoolExecutor

from prover.lines import Answer, BadRequest, Demand, Request, Session, natural
from prover.merkle import sha256

PAGE_BYTES = 4096
BLOCK_BYTES = 1 << 20
MEGABYTES_MOST = 256
READS_MOST = 65_536
THREADS_MOST = 32
#: of the folder's room, what is left to others
ROOM_SHARE = 4


class Disk:
    """The demands on the disk; without ``folder`` none can be met."""

    def __init__(self, session: Session, *, folder: str) -> None:
        self._session = session
        self._folder = folder
        self._file: int | None = None
        self._pages = 0

    def demands(self) -> dict[str, Demand]:
        """Return what is answered here, by operation."""
        return {"disk_fill": self._fill, "disk_read": self._read}

    def _seed(self, what: bytes, request: Request) -> bytes:
        return sha256(sha256(self._session.bind + what) + bytes.fromhex(request["nonce"]))

    def _fill(self, request: Request) -> Answer:
        blocks, seed = natural(request, "mib", MEGABYTES_MOST), self._seed(b"disk", request)
        self._end()
        file, is_direct = self._open(blocks * BLOCK_BYTES)
        self._file, self._pages = file, blocks * BLOCK_BYTES // PAGE_BYTES
        with mmap.mmap(-1, BLOCK_BYTES) as block:
            block[:] = hashlib.shake_128(seed).digest(BLOCK_BYTES)
            for number in range(blocks):
                _mark(block, seed, first=number * BLOCK_BYTES // PAGE_BYTES)
                if os.pwritev(file, [block], number * BLOCK_BYTES) != BLOCK_BYTES:
                    raise BadRequest("The disk took a part of a block only.")
        os.fsync(file)
        return {"mib": blocks, "direct": is_direct}

    def _read(self, request: Request) -> Answer:
        reads, threads = (
            natural(request, "reads", READS_MOST),
            natural(request, "threads", THREADS_MOST),
        )
        if self._file is None:
            raise BadRequest("The file has not been filled.")
        file, seed = self._file, self._seed(b"read", request)
        places = [_place(seed, number, self._pages) for number in range(reads)]

        def read(first: int) -> list[bytes]:
            with mmap.mmap(-1, PAGE_BYTES) as page:
                found = []
                for place in places[first::threads]:
                    os.preadv(file, [page], place * PAGE_BYTES)
                    found.append(sha256(page[:]))
                return found

        digests = [b""] * reads
        with ThreadPoolExecutor(threads) as pool:
            for first, found in enumerate(pool.map(read, range(threads))):
                digests[first::threads] = found
        return {"digest": sha256(b"".join(digests)).hex()}

    def _open(self, size_bytes: int) -> tuple[int, bool]:
        """Return a new file without a name, and whether the kernel's memory is left out of it."""
        if not self._folder:
            raise BadRequest("There is no folder to measure a disk in.")
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < ROOM_SHARE * size_bytes:
            raise BadRequest("The disk has too little room.")
        flags = os.O_RDWR | os.O_TMPFILE
        with contextlib.suppress(OSError):
            return os.open(self._folder, flags | os.O_DIRECT, 0o600), True
        return os.open(self._folder, flags, 0o600), False

    def _end(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _mark(block: mmap.mmap, seed: bytes, *, first: int) -> None:
    """Begin each page of the block with what no other page of the file begins with."""
    for number, place in enumerate(range(0, BLOCK_BYTES, PAGE_BYTES), start=first):
        block[place : place + 32] = sha256(seed + struct.pack("<Q", number))


def _place(seed: bytes, number: int, pages: int) -> int:
    return int.from_bytes(sha256(seed + struct.pack("<Q", number))[:8], "little") % pages
