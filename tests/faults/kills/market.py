"""The marketplace of a machine whose agent is killed: it asks at random, and remembers."""

import random
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from protocol.agent import (
    DesiredPlacement,
    ObservedPlacement,
    ObservedState,
    SyncReply,
    SyncRequest,
    Want,
)
from protocol.hardware import Resources
from protocol.receipts import SignedInterval, check_next
from protocol.workload import JobFile, PlacementKind, Workload
from tests.faults.kills.engine import IMAGES, INPUT
from tests.faults.kills.volumes import Volumes

FUNDED_MS = 1 << 40
#: how many of the placements are jobs, and what each of them reads
JOBS = 0.3
ASKED = JobFile(path=INPUT, digest=sha256(b"x").hexdigest(), size_bytes=1)


@dataclass(slots=True)
class Order:
    """A placement as its renter sees it."""

    desired: DesiredPlacement
    seen: ObservedPlacement | None = None
    chain: list[SignedInterval] = field(default_factory=list)
    #: when it was started, and on which disk
    starts: list[tuple[int, str]] = field(default_factory=list)
    #: disks on which it was reported to run, the newest last: before that nobody can log in
    told: list[str] = field(default_factory=list)
    #: its renter asks for nothing: it may not be ended or started again, ever
    quiet: bool = False
    #: how often its files were asked to be thrown away
    discards: int = 0
    #: the first line of each disk that it had -> the newest text of it
    disks: dict[str, list[str]] = field(default_factory=dict)
    #: when each run that was reported began at the latest, in ms
    runs: dict[int, int] = field(default_factory=dict)
    #: when it was asked to end, from where on nobody pays
    end_ms: int = 1 << 62
    #: it is a job whose process has ended by itself
    exited: bool = False

    @property
    def is_job(self) -> bool:
        return self.desired.workload.kind is PlacementKind.JOB

    def tell(self, began_ms: int) -> None:
        """Note which disk is meant by a report that it has run since then."""
        meant = [disk for start_ms, disk in self.starts if start_ms <= began_ms]
        if meant and meant[-1] not in self.told:
            self.told.append(meant[-1])


class Market:
    """Wishes and reports of one machine. Everything happens under the engine's lock."""

    def __init__(
        self,
        *,
        lock: threading.RLock,
        chance: random.Random,
        machine_key: str,
        gpus: tuple[str, ...],
        orders_most: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._lock, self._chance, self._key = lock, chance, machine_key
        self._orders_most, self._now_ms = orders_most, now_ms
        self.gpus = gpus
        self.orders: dict[UUID, Order] = {}
        self.volumes = Volumes(chance)
        self.jobs_done = 0
        self.ended: dict[UUID, Order] = {}
        self.revision = 1
        self.syncs = self.wishes = 0
        self.broken: list[str] = []
        #: nobody comes any more
        self.closing = False
        self.changed = threading.Condition(lock)

    # What renters do

    def wish(self) -> None:
        """Let some renter ask for something."""
        with self._lock:
            live = [
                order
                for order in self.orders.values()
                if order.desired.want is not Want.END and not order.quiet
            ]
            self.volumes.wish(self.orders.values())
            if len(live) < self._orders_most and len(self.orders) < 2 * self._orders_most:
                self._start()
            elif live:
                self._ask(self._chance.choice(live))
            self.wishes += 1
            self._raise()

    def start_quiet(self) -> None:
        """Let somebody come who asks for nothing more."""
        with self._lock:
            self._start(quiet=True)
            self._raise()

    def end_all(self) -> None:
        """Let everybody end."""
        with self._lock:
            self.closing = True
            self.volumes.remove_all()
            for order in self.orders.values():
                self._change(order, want=Want.END, run_for_ms=None)
            self._raise()

    def _raise(self) -> None:
        self.revision += 1
        self.changed.notify_all()

    def _free_gpus(self) -> list[str]:
        leased = {gpu for order in self.orders.values() for gpu in order.desired.gpu_uuids}
        return [gpu for gpu in self.gpus if gpu not in leased]

    def _start(self, *, quiet: bool = False) -> None:
        free = self._free_gpus()
        gpus = tuple(free[: self._chance.randint(0, min(2, len(free)))])
        placement_id = UUID(int=self._chance.getrandbits(128), version=4)
        resources = Resources.of(cpus=1, ram_bytes=1, disk_bytes=1, gpus=len(gpus))
        told: dict[str, object] = {}
        if not quiet and self._chance.random() < JOBS:
            told = {"kind": PlacementKind.JOB, "inputs": (ASKED,), "outputs_bytes_max": 1}
            resources = Resources.of(cpus=1, ram_bytes=1, disk_bytes=2, gpus=len(gpus))
        else:
            told["ports"] = tuple(self._chance.sample((80, 443, 8080), self._chance.randint(0, 2)))
            told["volumes"] = self.volumes.for_one(self.orders.values())
        workload = Workload(image=self._chance.choice(IMAGES), resources=resources, **told)
        desired = DesiredPlacement(
            placement_id=placement_id,
            want=Want.RUN,
            workload=workload,
            gpu_uuids=gpus,
            run_for_ms=FUNDED_MS,
        )
        self.orders[placement_id] = Order(desired, discards=1, quiet=quiet)

    def _ask(self, order: Order) -> None:
        desired = order.desired
        if order.is_job:
            return
        what = self._chance.choice(("end", "stop", "run", "restart", "reset", "image", "ports"))
        if what == "end":
            self._change(order, want=Want.END, run_for_ms=None)
        elif what == "stop":
            self._change(order, want=Want.STOP)
        elif what == "run":
            self._run(order)
        elif what == "restart":
            self._change(order, restarts=desired.restarts + 1)
        elif what == "reset":
            order.discards += 1
            self._change(order, resets=desired.resets + 1)
        else:
            workload = desired.workload
            if what == "image":
                order.discards += 1
                changes: dict[str, object] = {"image": self._chance.choice(IMAGES)}
            else:
                changes = {"ports": tuple(self._chance.sample((80, 443, 8080), 2))}
            changed = workload.model_copy(update=changes)
            self._change(order, workload=changed, edition=desired.edition + 1)

    def _run(self, order: Order) -> None:
        """Let it run again; what gave its GPUs back gets others, if there are so many."""
        missing = order.desired.workload.resources.gpu.count - len(order.desired.gpu_uuids)
        free = self._free_gpus()
        if missing <= len(free):
            gpus = (*order.desired.gpu_uuids, *free[:missing])
            self._change(order, want=Want.RUN, gpu_uuids=gpus)

    def _change(self, order: Order, **changes: object) -> None:
        order.desired = order.desired.model_copy(update=changes)
        if order.desired.want is Want.END:
            order.end_ms = min(order.end_ms, self._now_ms())

    def let_a_job_exit(self, die: Callable[[UUID], None]) -> None:
        """Let the process of some job that runs come to its end."""
        with self._lock:
            running = [
                placement_id
                for placement_id, order in self.orders.items()
                if order.is_job and order.starts and not order.exited
                if order.desired.want is not Want.END
            ]
            if running:
                placement_id = self._chance.choice(running)
                self.orders[placement_id].exited = True
                die(placement_id)

    # What the machine says

    def sync(self, request: SyncRequest, *, hold_s: float) -> SyncReply:
        """Take a report in and say what is desired, after ``hold_s`` unless something changes."""
        with self._lock:
            self.syncs += 1
            for signed in request.intervals:
                self._store(signed)
            for one in request.placements:
                self._observe(one)
            self.volumes.observe(request.volumes, self.broken)
            self.changed.wait_for(lambda: self.revision > request.revision, hold_s)
            return SyncReply(
                nonce=f"nonce-{self.syncs}",
                server_time_ms=0,
                revision=self.revision,
                desired=tuple(
                    order.desired.model_copy(update={"next_sequence": len(order.chain)})
                    for order in self.orders.values()
                ),
                volumes=self.volumes.desired(),
            )

    def _store(self, signed: SignedInterval) -> None:
        order = self.orders.get(signed.interval.placement_id)
        if order is None:
            return
        if signed.interval.sequence < len(order.chain):
            if order.chain[signed.interval.sequence] != signed:
                self.broken.append(f"interval {signed.interval} was rewritten")
            return
        previous = order.chain[-1].interval if order.chain else None
        try:
            check_next(signed, machine_key=self._key, previous=previous)
        except ValueError as error:
            self.broken.append(f"the chain breaks: {error}")
            return
        order.chain.append(signed)

    def _observe(self, one: ObservedPlacement) -> None:
        order = self.orders.get(one.placement_id)
        if order is None:
            return
        order.seen = one
        if one.state is ObservedState.RUNNING and one.age_ms is not None:
            order.tell(self._now_ms() - one.age_ms)
            order.runs.setdefault(one.run, self._now_ms() - one.age_ms)
        if one.state is ObservedState.STOPPED and order.desired.want is Want.STOP:
            order.desired = order.desired.model_copy(update={"gpu_uuids": ()})
        if one.state is ObservedState.GONE:
            if order.exited and one.problem is None and one.exit_code == 3 and one.outputs:
                self.jobs_done += 1
            elif order.desired.want is not Want.END and (order.exited or one.problem is not None):
                self.broken.append(f"{one.placement_id} was given up: {one} {order.desired}")
            # From here on its GPUs are the next renter's.
            self.ended[one.placement_id] = self.orders.pop(one.placement_id)
            if (order.desired.want is Want.END or order.exited) and not self.closing:
                # Somebody waits for what becomes free.
                self._start()
            self._raise()

    # What the machine does

    def on_start(self, placement_id: UUID, kept: list[str]) -> None:
        """Judge a start: is it wanted, and does the renter find what was there?"""
        order = self.orders.get(placement_id)
        if order is None:
            self.broken.append(f"{placement_id} starts though it is gone")
            return
        if order.is_job and order.starts:
            self.broken.append(f"{placement_id} is a job and starts once more")
        if kept:
            if order.disks.get(kept[0]) != kept:
                self.broken.append(f"{placement_id} finds {kept} of {order.disks}")
        elif len(order.told) >= order.discards:
            self.broken.append(f"{placement_id} starts with an empty disk that nobody asked for")

    def on_started(self, placement_id: UUID, kept: list[str]) -> None:
        """Note what the renter leaves on the disk."""
        order = self.orders.get(placement_id)
        if order is not None:
            order.disks[kept[0]] = kept
            order.starts.append((self._now_ms(), kept[0]))

    def on_stop(self, placement_id: UUID) -> None:
        """Judge that something is ended that runs."""
        order = self.orders.get(placement_id)
        if order is not None and order.quiet and order.desired.want is Want.RUN:
            self.broken.append(f"{placement_id} is ended though nobody asked for it")

    def on_loss(self, placement_id: UUID, kept: list[str]) -> None:
        """Judge that files are removed: an end, or newer files in their place."""
        order = self.orders.get(placement_id)
        if order is None or order.desired.want is Want.END or order.exited:
            return
        if [kept[0]] == order.told[-1:] == list(order.disks)[-1:]:
            self.broken.append(f"{placement_id} loses its files though nobody asked for it")


class MarketLine:
    """The marketplace on a unix socket: four bytes of length, then JSON, both ways."""

    def __init__(self, market: Market, path: Path, *, hold_s: float) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while len(head := self.rfile.read(4)) == 4:
                    size = struct.unpack(">I", head)[0]
                    body = self.rfile.read(size)
                    if len(body) < size:
                        return
                    request = SyncRequest.model_validate_json(body)
                    reply = market.sync(request, hold_s=hold_s if request.hold_s else 0)
                    answer = reply.model_dump_json().encode()
                    self.wfile.write(struct.pack(">I", len(answer)) + answer)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Stay quiet: whoever asked was killed."""

        self._server = Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
