"""This will say who may reach this machine's replicas, and where each one answers."""

from collections.abc import Callable
from uuid import UUID

from miner_agent.journal import Journal
from protocol.agent import ObservedState, Want

#: of older starts the container is asked about again
REMEMBERED_MOST = 1000


class Replicas:
    """The replicas that run here. Methods may be called from several threads."""

    def __init__(self, *, journal: Journal, address: Callable[[UUID, int], str | None]) -> None:
        self._journal = journal
        #: where a container's ports are reached, by placement and generation; None: nowhere
        self._address = address
        #: by the start of a container, which keeps its address while it lasts
        self._addresses: dict[str, str] = {}

    def gateways(self) -> tuple[str, ...]:
        """Return the public keys of those who may reach them."""
        return tuple(self._journal.fact("gateways").splitlines())

    def find(self, placement: str, port: int) -> tuple[str, int] | None:
        """Return where the HTTP port of a running replica answers; None: there is no such thing.

        :raises EngineUnavailable: when Docker does not answer.
        """
        try:
            found = self._journal.find(UUID(placement))
        except ValueError:
            return None
        if found is None or found.current is None or found.run is None:
            return None
        runs = found.state is ObservedState.RUNNING and found.want is Want.RUN
        if not runs or found.current.workload.http_port != port:
            return None
        address = self._addresses.get(found.run.token)
        if address is None:
            address = self._address(found.placement_id, found.current.number)
        if address is None:
            return None
        if len(self._addresses) >= REMEMBERED_MOST:
            self._addresses.clear()
        self._addresses[found.run.token] = address
        return address, port
