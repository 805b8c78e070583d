"""This will do the demanded work on one GPU: fill its memory, read all of it, multiply matrices."""

import ctypes
import hashlib
import struct
from collections.abc import Callable, Sequence
from ctypes import c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass

from prover import kernels
from prover.cuda import BLOCKING, CudaFailed, Device, Driver
from prover.hmac_states import hmac_states
from prover.lines import BadRequest

REGION_BYTES = 262_144
FOLDS_BYTES = 2_048
PATCHES_BYTES = 512
DIGEST_BYTES = 32
BLOCK = 128
#: regions that are scanned before their folds are hashed: 64 MiB of folds
CHUNK_REGIONS = 32_768
#: blocks of 32 bytes filled by one launch, a fraction of a second of work
CHUNK_BLOCKS = 1 << 26
#: levels of a tree that one launch makes
LEVELS = 9
PASSES_MOST = 1_024
#: how much less is asked for when so much memory is not to be had in one piece
LESS_BYTES = 32 << 20


def sha256(content: bytes) -> bytes:
    """Return the SHA-256 of ``content``."""
    return hashlib.sha256(content).digest()


def power_of_two(count: int) -> int:
    """Return the least power of two that is not below ``count``."""
    return 1 << max(0, count - 1).bit_length()


@dataclass(frozen=True)
class Shape:
    """The matrices: A has ``rows`` x ``depth`` entries, B ``columns`` x ``depth``."""

    rows: int
    columns: int
    depth: int

    @property
    def blocks(self) -> int:
        """Return how many blocks of 128 x 128 entries the product has, a power of two."""
        return (self.rows // BLOCK) * (self.columns // BLOCK)


class Tree:
    """A commitment to products, kept here: one leaf for each of them."""

    def __init__(self, roots: Sequence[bytes]) -> None:
        padding = [bytes(DIGEST_BYTES)] * (power_of_two(len(roots)) - len(roots))
        self.levels: list[list[bytes]] = [[*roots, *padding]]
        while len(self.levels[-1]) > 1:
            row = self.levels[-1]
            self.levels.append([sha256(row[i] + row[i + 1]) for i in range(0, len(row), 2)])

    def path(self, leaf: int) -> bytes:
        """Return the siblings from the leaf up."""
        return b"".join(row[leaf >> up ^ 1] for up, row in enumerate(self.levels[:-1]))


class Card:
    """One GPU with everything that lies in its memory. Used by one thread at a time."""

    def __init__(self, driver: Driver, device: Device, *, bind: bytes) -> None:
        self._driver = driver
        self._identity = sha256(bind + device.uuid.encode() + struct.pack("<I", device.index))
        context = c_void_p()
        driver.call("cuDevicePrimaryCtxSetFlags_v2", device.index, BLOCKING)
        driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device.index)
        self._context = context
        self.enter()
        self._load(device.capability)
        self._pass_keys: dict[int, bytes] = {}
        #: whose tree lies in memory now
        self._tree_is_of: object = None
        self._products: Tree | None = None

    def enter(self) -> None:
        """Make this GPU the one that this thread speaks to."""
        self._driver.call("cuCtxSetCurrent", self._context)

    def _load(self, capability: int) -> None:
        base = self._module("base")
        self._fill, self._scan = base("fill_memory"), base("scan_memory")
        self._hash, self._hash_tree = base("hash_messages"), base("hash_tree")
        self._make = base("make_matrix")
        if capability >= 80:
            self._multiply = self._module("mma80")("multiply")
        elif capability >= 75:
            self._multiply = self._module("mma75")("multiply")
        else:
            self._multiply = base("multiply_dp4a")

    def _module(self, name: str) -> Callable[[str], c_void_p]:
        module = c_void_p()
        text = kernels.ptx(name)
        self._driver.call("cuModuleLoadDataEx", ctypes.byref(module), text, 0, None, None)

        def function(kernel: str) -> c_void_p:
            found = c_void_p()
            name = kernel.encode()
            self._driver.call("cuModuleGetFunction", ctypes.byref(found), module, name)
            return found

        return function

    def set_up(self, shape: Shape, *, spare_bytes: int, filled_ppm: int) -> int:
        """Take memory for the work and nearly all the rest; return how many regions that is."""
        if power_of_two(shape.blocks) != shape.blocks or shape.depth % 64:
            raise BadRequest("The matrices have a shape that cannot be worked on.")
        self._shape = shape
        free, total = self._memory()
        wanted = total * filled_ppm // 1_000_000
        regions_most = max(1, min(wanted, free) // REGION_BYTES)
        self._a = self._allocate(shape.rows * shape.depth)
        self._b = self._allocate(shape.columns * shape.depth)
        self._patches = self._allocate(shape.blocks * PATCHES_BYTES)
        self._folds = self._allocate(min(CHUNK_REGIONS, regions_most) * FOLDS_BYTES)
        leaves = max(power_of_two(regions_most), shape.blocks)
        self._nodes = self._allocate(2 * leaves * DIGEST_BYTES)
        self._chain = self._allocate(2 * DIGEST_BYTES)
        self._keys = self._allocate(PASSES_MOST * DIGEST_BYTES)
        self._roots = self._allocate(PASSES_MOST * DIGEST_BYTES)
        wanted = min(wanted, self._memory()[0] - spare_bytes)
        while True:
            self._regions = wanted // REGION_BYTES
            if self._regions < 1:
                raise BadRequest("The GPU has too little free memory.")
            try:
                self._data = self._allocate(self._regions * REGION_BYTES)
            except CudaFailed:
                wanted -= LESS_BYTES
            else:
                return self._regions

    def _memory(self) -> tuple[int, int]:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._driver.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def _allocate(self, size: int) -> int:
        address = c_void_p()
        self._driver.call("cuMemAlloc_v2", ctypes.byref(address), size)
        return address.value or 0

    def _seed(self, phase: bytes, nonce: bytes) -> bytes:
        return sha256(b"berth-gpu-1|" + phase + b"|" + nonce + self._identity)

    def fill(self, nonce: bytes, iterations: int) -> None:
        """Fill all regions with lines that only this nonce gives."""
        states = (c_uint * 16)(*hmac_states(self._seed(b"fill", nonce)))
        blocks = self._regions * REGION_BYTES // 32
        for first in range(0, blocks, CHUNK_BLOCKS):
            count = min(CHUNK_BLOCKS, blocks - first)
            arguments = (c_void_p(self._data), c_ulonglong(first), c_ulonglong(count))
            self._launch(self._fill, count, 256, *arguments, c_uint(iterations), states)
        self._wait()

    def scan(self, nonce: bytes, passes: int, slot: int) -> list[bytes]:
        """Read all memory so many times; the key of each pass depends on the root before it."""
        self._put(self._chain, self._seed(b"scan", nonce) + bytes(DIGEST_BYTES))
        for number in range(passes):
            at = number * DIGEST_BYTES
            self._hash_all(self._chain, self._keys + at, words=16, count=1)
            root = self._read_all(self._keys + at)
            self._copy(self._roots + at, root)
            self._copy(self._chain + DIGEST_BYTES, root)
        self._wait()
        self._pass_keys[slot] = self._get(self._keys, passes * DIGEST_BYTES)
        roots = self._get(self._roots, passes * DIGEST_BYTES)
        return [roots[at : at + DIGEST_BYTES] for at in range(0, len(roots), DIGEST_BYTES)]

    def _read_all(self, key: int) -> int:
        """Fold all regions under the key at that address; return the address of the root."""
        self._tree_is_of = None
        leaves = power_of_two(self._regions)
        padding = (leaves - self._regions) * DIGEST_BYTES
        if padding:
            start = self._nodes + self._regions * DIGEST_BYTES
            self._driver.call("cuMemsetD8_v2", start, 0, padding)
        for first in range(0, self._regions, CHUNK_REGIONS):
            count = min(CHUNK_REGIONS, self._regions - first)
            self._fold(key, first, count)
            leaf = self._nodes + first * DIGEST_BYTES
            self._hash_all(self._folds, leaf, words=FOLDS_BYTES // 4, count=count)
        return self._climb(leaves)

    def _fold(self, key: int, first: int, count: int) -> None:
        addresses = (c_void_p(self._data), c_void_p(self._folds), c_void_p(key))
        self._launch(self._scan, count * 256, 256, *addresses, c_uint(first))

    def open_scan(self, slot: int, number: int, region: int) -> tuple[bytes, bytes]:
        """Return the folds of a region in one pass, and the siblings up to that pass's root."""
        keys = self._pass_keys.get(slot, b"")
        key = keys[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
        if not key or region >= self._regions:
            raise BadRequest("There is no such region to open.")
        self._put(self._keys, key)
        if self._tree_is_of != (slot, number):
            self._read_all(self._keys)
            self._tree_is_of = (slot, number)
        self._fold(self._keys, region, 1)
        self._wait()
        return self._get(self._folds, FOLDS_BYTES), self._path(power_of_two(self._regions), region)

    def multiply(self, nonce: bytes, products: int) -> bytes:
        """Multiply so many pairs of new matrices; return one root over all products."""
        self._product_seed = self._seed(b"multiply", nonce)
        kept = self._allocate(products * DIGEST_BYTES)
        for number in range(products):
            self._copy(kept + number * DIGEST_BYTES, self._product(number))
        self._wait()
        roots = self._get(kept, products * DIGEST_BYTES)
        self._driver.call("cuMemFree_v2", kept)
        self._products = Tree([roots[at : at + 32] for at in range(0, len(roots), DIGEST_BYTES)])
        return self._products.levels[-1][0]

    def _product(self, number: int) -> int:
        """Multiply one pair; return the address of its root."""
        self._tree_is_of = None
        shape = self._shape
        digest = sha256(self._product_seed + struct.pack("<I", number))
        *matrix_keys, key0, key1 = (c_uint(word) for word in struct.unpack("<6I", digest[:24]))
        for address, rows, keys in (
            (self._a, shape.rows, matrix_keys[:2]),
            (self._b, shape.columns, matrix_keys[2:]),
        ):
            quads = rows * shape.depth // 16
            self._launch(self._make, quads, 256, c_void_p(address), c_uint(quads), *keys)
        sides = (c_uint(shape.depth), c_uint(shape.rows // BLOCK), c_uint(shape.columns // BLOCK))
        addresses = (c_void_p(self._a), c_void_p(self._b), c_void_p(self._patches))
        self._launch(self._multiply, shape.blocks * 256, 256, *addresses, *sides, key0, key1)
        words = PATCHES_BYTES // 4
        self._hash_all(self._patches, self._nodes, words=words, count=shape.blocks)
        return self._climb(shape.blocks)

    def open_product(self, leaf: int) -> tuple[bytes, bytes]:
        """Return the patches of one block of one product, and the siblings up to the one root."""
        number, block = divmod(leaf, self._shape.blocks)
        if self._products is None or number >= len(self._products.levels[0]):
            raise BadRequest("There is no such product to open.")
        if self._tree_is_of != number:
            self._product(number)
            self._tree_is_of = number
        self._wait()
        patches = self._get(self._patches + block * PATCHES_BYTES, PATCHES_BYTES)
        return patches, self._path(self._shape.blocks, block) + self._products.path(number)

    def _hash_all(self, messages: int, digests: int, *, words: int, count: int) -> None:
        addresses = (c_void_p(messages), c_void_p(digests))
        self._launch(self._hash, count, 128, *addresses, c_uint(words), c_uint(count))

    def _climb(self, leaves: int) -> int:
        """Make the tree above the leaves that lie in memory; return the address of its root."""
        level, count = self._nodes, leaves
        while count > 1:
            levels = min(LEVELS, count.bit_length() - 1)
            above = count >> levels
            arguments = (c_void_p(level), c_uint(count), c_uint(levels))
            self._launch(self._hash_tree, above * 256, 256, *arguments)
            level += 2 * (count - above) * DIGEST_BYTES
            count = above
        return level

    def _path(self, leaves: int, leaf: int) -> bytes:
        siblings, level, count = [], self._nodes, leaves
        while count > 1:
            siblings.append(self._get(level + (leaf ^ 1) * DIGEST_BYTES, DIGEST_BYTES))
            level, count, leaf = level + count * DIGEST_BYTES, count // 2, leaf // 2
        return b"".join(siblings)

    def _launch(self, kernel: c_void_p, threads: int, block: int, *arguments: object) -> None:
        pointers = (c_void_p * len(arguments))(
            *(ctypes.cast(ctypes.pointer(each), c_void_p) for each in arguments)  # type: ignore[type-var]
        )
        grid = (threads + block - 1) // block
        sizes = (grid, 1, 1, block, 1, 1, 0)
        self._driver.call("cuLaunchKernel", kernel, *sizes, None, pointers, None)

    def _wait(self) -> None:
        self._driver.call("cuCtxSynchronize")

    def _put(self, address: int, content: bytes) -> None:
        self._driver.call("cuMemcpyHtoD_v2", address, content, len(content))

    def _get(self, address: int, size: int) -> bytes:
        content = ctypes.create_string_buffer(size)
        self._driver.call("cuMemcpyDtoH_v2", content, address, size)
        return content.raw

    def _copy(self, target: int, source: int) -> None:
        self._driver.call("cuMemcpyDtoD_v2", target, source, DIGEST_BYTES)
