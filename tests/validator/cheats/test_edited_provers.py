"""Each cheat is the real prover with one edit, on the fake driver: its answers are refused."""

from dataclasses import replace

import pytest

from tests.validator.gpu_door import TINY, Edit, proven, uuid_of
from validator.proof.conversation import ProofWrong

#: two iterations, so that fewer can be done
RULES = replace(TINY, iterations=2, checks=12, first_scan_checks=12)

HALF_THE_FILL = ("blocks = self._regions * REGION_BYTES // 32", "blocks = self._regions * 4096")
FEWER_ITERATIONS = ("c_uint(iterations), states", "c_uint(1), states")
HALF_THE_PRODUCTS = ("self._product(number))", "self._product(number // 2))")
ONE_PASS_FOR_ALL = (
    "root = self._read_all(self._keys + at)",
    "root = root if number else self._read_all(self._keys + at)",
)
HALF_THE_REGIONS = (
    "self._fold(key, first, count)\n            leaf",
    "self._fold(key, first, count // 2)\n            leaf",
)
OLD_FILL = ('self._seed(b"fill", nonce)', 'self._seed(b"fill", bytes(32))')
OLD_PRODUCTS = ('self._seed(b"multiply", nonce)', 'self._seed(b"multiply", bytes(32))')
OLD_SCAN = ('self._seed(b"scan", nonce)', 'self._seed(b"scan", bytes(32))')
ANOTHER_SESSION = ("sha256(bind + device", "sha256(bytes(32) + device")
ANOTHER_INDEX = ('struct.pack("<I", device.index)', 'struct.pack("<I", 7)')
ZEROS = ("return patches, self._path", "return bytes(512), self._path")
SHORT_PATH = ("self._path(power_of_two(self._regions), region)", "b''")
FEWER_ROOTS = ("[root.hex() for root in roots]", "[root.hex() for root in roots[1:]]")
FEWER_LEAVES = ('for leaf in part["products"]]', 'for leaf in part["products"][1:]]')
ANSWERS_TWICE = (
    "for _ in parts:\n            yield done.get()",
    "for _ in parts:\n            one = done.get()\n            yield one\n            yield one",
)
MORE_MEMORY_THAN_THERE_IS = ('{"regions": regions}', '{"regions": 1000 * regions}')


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        pytest.param(HALF_THE_FILL, "not filled", id="fills-half"),
        pytest.param(FEWER_ITERATIONS, "not filled", id="fills-cheaply"),
        pytest.param(HALF_THE_REGIONS, "committed root", id="reads-half"),
        pytest.param(ONE_PASS_FOR_ALL, "committed root", id="reads-once"),
        pytest.param(HALF_THE_PRODUCTS, "committed root", id="multiplies-half"),
        pytest.param(OLD_FILL, "not filled", id="filled-before-it-was-asked"),
        pytest.param(OLD_SCAN, "memory was not read", id="read-before-it-was-asked"),
        pytest.param(OLD_PRODUCTS, "product was not computed", id="multiplied-before-it-was-asked"),
        pytest.param(ANOTHER_SESSION, "GPU 0", id="answers-of-another-machine"),
        pytest.param(ANOTHER_INDEX, "GPU 0", id="answers-of-another-card"),
        pytest.param(ZEROS, "committed root", id="opens-zeros"),
        pytest.param(SHORT_PATH, "wrong size", id="opens-without-a-path"),
        pytest.param(FEWER_ROOTS, "number of roots", id="sends-fewer-roots"),
        pytest.param(FEWER_LEAVES, "number of leaves", id="opens-fewer-leaves"),
        pytest.param(MORE_MEMORY_THAN_THERE_IS, "impossible amount", id="tells-of-more-memory"),
    ],
)
async def test_a_cheat_is_found(edit: Edit, found: str) -> None:
    with pytest.raises(ProofWrong, match=found):
        await proven(edit, rules=RULES)


async def test_a_card_that_answers_twice_does_not_answer_for_another() -> None:
    with pytest.raises(ProofWrong, match="or twice"):
        await proven(ANSWERS_TWICE, devices=2)


async def test_one_card_that_answers_for_two_has_the_memory_of_one() -> None:
    shown = await proven(
        ('range(self.number("cuDeviceGetCount"))', "range(2)"),
        ('f"GPU-{UUID(bytes=content.raw)}"', 'f"GPU-{UUID(int=device)}"'),
        ("ctypes.byref(context), device.index", "ctypes.byref(context), 0"),
        models={f"GPU-00000000-0000-0000-0000-00000000000{n}": "NVIDIA Fake GPU" for n in (0, 1)},
    )
    filled = [one.vram_bytes_proven for one in shown.measurement.gpus]
    assert sum(filled) <= 2 << 20
    assert len(filled) < 2 or min(filled) < (2 << 20) * 45 // 100


async def test_a_card_under_another_name_answers_only_as_itself() -> None:
    """Two cards that swap their answers: each seed holds index and uuid."""
    swapped = ("device.uuid.encode()", 'device.uuid.replace("1", "2").encode()')
    with pytest.raises(ProofWrong):
        await proven(swapped, devices=2)


async def test_the_times_that_a_machine_tells_of_change_nothing() -> None:
    told = ('done.put({"gpu": part["gpu"], **work', 'done.put({"ms": 0, "gpu": part["gpu"], **work')
    shown = await proven(told, models={uuid_of(0): "NVIDIA Fake GPU"})
    assert shown.measurement.gpus[0].proof_ms > 0
