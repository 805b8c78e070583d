"""This will count what the agent does and show it, with the newest reading, to Prometheus."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from miner_agent import VERSION
from protocol.usage import Usage

#: what a gauge shows by its labels; None: not known, so not shown
Values: TypeAlias = dict[tuple[str, ...], float | None]

#: from a look at an idle machine to the fetch of a big image, in seconds
STEPS_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """The agent's own counters; each process has its own, so tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._syncs = self._counter("syncs", "Calls of the marketplace by outcome", "outcome")
        self._looks = self._histogram("reconcile_seconds", "Looks at the machine")
        self._steps = self._histogram("step_seconds", "Steps of placements", "step", "outcome")
        self._pulls = self._histogram("pull_seconds", "Fetches of images", "outcome")
        self._proofs = self._histogram("proof_seconds", "Proofs for validators", "outcome")

    def proved(self, seconds: float, *, done: bool) -> None:
        """Count one proof for a validator."""
        self._proofs.labels("done" if done else "broken_off").observe(seconds)

    def synced(self, *, answered: bool) -> None:
        """Count a call of the marketplace."""
        self._syncs.labels("answered" if answered else "failed").inc()

    def looked(self, seconds: float) -> None:
        """Count one look at what runs and what has to be done."""
        self._looks.observe(seconds)

    def performed(self, step: str, seconds: float, *, done: bool) -> None:
        """Count one step of a placement."""
        self._steps.labels(step, "done" if done else "failed").observe(seconds)

    def pulled(self, seconds: float, *, done: bool) -> None:
        """Count one fetch of an image."""
        self._pulls.labels("done" if done else "failed").observe(seconds)

    def show(
        self,
        *,
        usage: Callable[[], Usage | None],
        states: Callable[[], Mapping[str, int]],
    ) -> None:
        """Also show the newest reading, and the placements by state."""
        self.registry.register(_Shown(usage, states))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"berth_agent_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            f"berth_agent_{name}", text, labels, registry=self.registry, buckets=STEPS_S
        )


class Endpoint:
    """``http://ADDRESS:PORT/metrics`` while it is open."""

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, addr=host, registry=metrics.registry)

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Shown(Collector):
    """What is read when somebody asks, and not counted."""

    def __init__(
        self, usage: Callable[[], Usage | None], states: Callable[[], Mapping[str, int]]
    ) -> None:
        self._usage = usage
        self._states = states

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the names come with the values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield everything that is known now."""
        version: Values = {(VERSION,): 1}
        yield _gauge("berth_agent_info", "The running agent", version, "version")
        states: Values = {(state,): count for state, count in self._states().items()}
        yield _gauge("berth_agent_placements", "Placements by state", states, "state")
        usage = self._usage()
        if usage is not None:
            yield from _machine(usage)
            yield from _placements(usage)


def _machine(usage: Usage) -> Iterator[Metric]:
    machine = usage.machine
    plain: dict[str, tuple[str, float]] = {
        "load": ("Load of the last minute", machine.load_milli / 1000),
        "memory_used_bytes": ("Memory that is not available", machine.memory_used_bytes),
        "memory_bytes": ("All memory", machine.memory_bytes),
        "disk_used_bytes": ("Used of the disk of placements", machine.disk_used_bytes),
        "disk_bytes": ("The disk of placements", machine.disk_bytes),
    }
    for name, (text, value) in plain.items():
        yield _gauge(f"berth_machine_{name}", text, {(): value})
    for name, text in (
        ("busy_percent", "Share of the time in which a GPU computed"),
        ("memory_used_bytes", "Used memory of a GPU"),
        ("memory_bytes", "Memory of a GPU"),
        ("temperature_c", "Temperature of a GPU in degrees Celsius"),
        ("power_mw", "Power that a GPU draws in milliwatts"),
    ):
        by_card: Values = {(card.uuid,): getattr(card, name) for card in machine.cards}
        yield _gauge(f"berth_gpu_{name}", text, by_card, "gpu")


def _placements(usage: Usage) -> Iterator[Metric]:
    for name, text in (
        ("cpu_ms", "CPU time since the run started, in milliseconds"),
        ("memory_bytes", "Memory that it holds"),
        ("disk_used_bytes", "Used of its disk"),
        ("disk_bytes", "Its disk"),
        ("received_bytes", "Received since the run started"),
        ("sent_bytes", "Sent since the run started"),
    ):
        values: Values = {(str(one.placement_id),): getattr(one, name) for one in usage.placements}
        yield _gauge(f"berth_placement_{name}", text, values, "placement")
    gpus = [(str(one.placement_id), gpu) for one in usage.placements for gpu in one.gpus]
    for name, text in (
        ("busy_percent", "Share of the time in which it used a GPU"),
        ("memory_bytes", "Memory that it holds of a GPU"),
    ):
        shares: Values = {(owner, gpu.uuid): getattr(gpu, name) for owner, gpu in gpus}
        yield _gauge(f"berth_placement_gpu_{name}", text, shares, "placement", "gpu")


def _gauge(name: str, text: str, values: Values, *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values.items():
        if value is not None:
            family.add_metric(names, value)
    return family
