"""This will keep a program answering HTTP: create an endpoint, scale it, and delete it."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

from pydantic import Field

from berth.exchange import Call, Exchange, once
from berth.reading import read
from berth.shapes import RegistryLogin, Shape
from protocol.hardware import Resources


class Replica(Shape):
    placement_id: str
    machine_id: str | None = None
    #: starting, ready, silent or ending
    state: str
    progress: str | None = ""
    price_hour_microusd: int = 0
    cost_microusd: int = 0
    begun_at: datetime | None = None
    #: None: it did not answer yet
    ready_at: datetime | None = None


class Endpoint(Shape):
    id: str
    name: str
    #: starting, degraded, ready or stopped
    state: str
    url: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    http_port: int = 0
    resources: Resources | None = None
    replicas_wanted: int = 0
    replicas_ready: int = 0
    price_hour_microusd_max: int = 0
    price_hour_microusd: int = 0
    cost_microusd: int = 0
    key_prefix: str | None = ""
    problem_code: str | None = ""
    problem: str | None = ""
    created_at: datetime | None = None
    replicas: tuple[Replica, ...] = ()
    #: what callers show; only a new endpoint and a new key have it
    key: str | None = None


class EndpointRequest(Shape):
    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    http_port: int
    resources: Resources
    gpu_model: str = ""
    replicas: int = 1
    price_hour_microusd_max: int
    registry_login: RegistryLogin | None = None


class Endpoints:
    """One renter's endpoints. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(self, exchange: Exchange, *, new_id: Callable[[], str]) -> None:
        self._exchange = exchange
        self._new_id = new_id

    def create(self, request: EndpointRequest) -> Endpoint:
        """Return the new endpoint with its key."""
        body = request.model_dump(mode="json")
        return self._send(once("/endpoints", self._new_id(), body=body))

    def find(self, endpoint_id: str) -> Endpoint:
        """Return one endpoint as it is now."""
        return self._send(Call("GET", _path(endpoint_id), repeatable=True))

    def all(self) -> tuple[Endpoint, ...]:
        """Return the endpoints, newest first."""
        answer = self._exchange.send(Call("GET", "/endpoints", repeatable=True))
        page = answer if isinstance(answer, dict) else {}
        return read(tuple[Endpoint, ...], page.get("items"))

    def scale(
        self, endpoint_id: str, *, replicas: int | None, price_hour_microusd_max: int | None
    ) -> Endpoint:
        """Want so many replicas, zero to stop it. None: as it is."""
        body = {"replicas": replicas, "price_hour_microusd_max": price_hour_microusd_max}
        return self._send(Call("PATCH", _path(endpoint_id), body=body, repeatable=True))

    def renew_key(self, endpoint_id: str) -> Endpoint:
        """Return the endpoint with a new key; the former one opens nothing any more."""
        return self._send(once(f"{_path(endpoint_id)}/key", self._new_id()))

    def dismiss(self, endpoint_id: str, placement_id: str) -> None:
        """End a replica; another begins, and none of this endpoint on its machine any more."""
        path = f"{_path(endpoint_id)}/replicas/{quote(placement_id, safe='')}"
        self._exchange.send(Call("DELETE", path))

    def delete(self, endpoint_id: str) -> None:
        """Delete the endpoint; nothing after this request is charged."""
        self._exchange.send(Call("DELETE", _path(endpoint_id)))

    def _send(self, call: Call) -> Endpoint:
        return read(Endpoint, self._exchange.send(call))


def _path(endpoint_id: str) -> str:
    return f"/endpoints/{quote(endpoint_id, safe='')}"
