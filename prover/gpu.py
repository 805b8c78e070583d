"""This will answer a proof-of-GPU on every demanded device at once, each as it finishes."""

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from queue import SimpleQueue

from prover.card import PASSES_MOST, Card, Shape
from prover.cuda import CudaFailed, Device, Driver
from prover.lines import REFUSED, Answer, BadRequest, Demand, Request, Session, natural

SIDE_MOST = 1 << 16
ITERATIONS_MOST = 1 << 10
PRODUCTS_MOST = 1 << 16
OPENINGS_MOST = 512
#: 128 characters of base64
PIECE_BYTES = 96


class Gpus:
    """The demands on GPUs. Without ``with_gpus`` none is touched or told of."""

    def __init__(self, session: Session, *, with_gpus: bool) -> None:
        self._session = session
        self._with_gpus = with_gpus
        self._driver: Driver | None = None
        self._devices: list[Device] = []
        self._cards: dict[int, Card] = {}

    def inventory(self) -> Answer:
        """Return what CUDA shows here: claims, as long as nothing was demanded of it."""
        if not self._with_gpus:
            return {"gpus": [], "gpus_missing": "", "driver": 0}
        try:
            self._driver = self._driver or Driver()
            self._devices = self._driver.devices()
        except CudaFailed as error:
            return {"gpus": [], "gpus_missing": str(error), "driver": 0}
        gpus = [asdict(device) for device in self._devices]
        return {"gpus": gpus, "gpus_missing": "", "driver": self._driver.version()}

    def demands(self) -> dict[str, Demand]:
        """Return what is answered here, by operation."""
        return {
            "gpu_setup": self._set_up,
            "gpu_fill": self._fill,
            "gpu_scan": self._scan,
            "gpu_multiply": self._multiply,
            "gpu_open": self._open,
        }

    def _set_up(self, request: Request) -> Iterator[Answer]:
        sides = [natural(request, side, SIDE_MOST) for side in ("rows", "columns", "depth")]
        spare_bytes = natural(request, "spare_bytes", 1 << 40)
        filled_ppm = natural(request, "filled_ppm", 1_000_000)

        def work(part: Request) -> Answer:
            index = part["gpu"]
            if self._driver is None or index in self._cards:
                raise BadRequest("This GPU is not to be set up now.")
            card = Card(self._driver, self._devices[index], bind=self._session.bind)
            regions = card.set_up(Shape(*sides), spare_bytes=spare_bytes, filled_ppm=filled_ppm)
            self._cards[index] = card
            return {"regions": regions}

        return self._each(request, work)

    def _fill(self, request: Request) -> Iterator[Answer]:
        nonce = bytes.fromhex(request["nonce"])
        iterations = natural(request, "iterations", ITERATIONS_MOST)

        def work(part: Request) -> Answer:
            self._card(part).fill(nonce, iterations)
            return {}

        return self._each(request, work)

    def _scan(self, request: Request) -> Iterator[Answer]:
        nonce, slot = bytes.fromhex(request["nonce"]), int(request["slot"])

        def work(part: Request) -> Answer:
            passes = natural(part, "passes", PASSES_MOST)
            roots = self._card(part).scan(nonce, passes, slot)
            return {"roots": [root.hex() for root in roots]}

        return self._each(request, work)

    def _multiply(self, request: Request) -> Iterator[Answer]:
        nonce = bytes.fromhex(request["nonce"])

        def work(part: Request) -> Answer:
            products = natural(part, "products", PRODUCTS_MOST)
            return {"root": self._card(part).multiply(nonce, products).hex()}

        return self._each(request, work)

    def _open(self, request: Request) -> Iterator[Answer]:
        def work(part: Request) -> Answer:
            card = self._card(part)
            if len(part["products"]) + len(part["scans"]) > OPENINGS_MOST:
                raise BadRequest("So many openings are not made.")
            scans = [card.open_scan(*place) for place in part["scans"]]
            products = [card.open_product(leaf) for leaf in part["products"]]
            return {"scans": _texts(scans), "products": _texts(products)}

        return self._each(request, work)

    def _card(self, part: Request) -> Card:
        card = self._cards.get(part["gpu"])
        if card is None:
            raise BadRequest("This GPU has not been set up.")
        card.enter()
        return card

    def _each(self, request: Request, work: Callable[[Request], Answer]) -> Iterator[Answer]:
        """Yield one answer a GPU as its work is done; one that fails never holds up another.

        A thread each is enough, because ctypes lets others run while the driver works.
        """
        parts = request["gpus"]
        indexes = [part["gpu"] for part in parts]
        if len({*indexes} & {*range(len(self._devices))}) != len(parts):
            raise BadRequest("There is no such GPU, or it is named twice.")
        done: SimpleQueue[Answer] = SimpleQueue()

        def run(part: Request) -> None:
            try:
                done.put({"gpu": part["gpu"], **work(part)})
            except REFUSED as error:
                done.put({"gpu": part["gpu"], "error": f"{type(error).__name__}: {error}"[:200]})

        for part in parts:
            threading.Thread(target=run, args=(part,), daemon=True).start()
        for _ in parts:
            yield done.get()


def _texts(opened: list[tuple[bytes, bytes]]) -> list[list[list[str]]]:
    """Return contents and paths in pieces: a validator takes no longer text from a machine."""
    return [[_pieces(content) for content in pair] for pair in opened]


def _pieces(content: bytes) -> list[str]:
    return [
        base64.b64encode(content[at : at + PIECE_BYTES]).decode()
        for at in range(0, len(content), PIECE_BYTES)
    ]
