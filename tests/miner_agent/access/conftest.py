"""One rental for each kind of image, which all tests of this folder use in turn."""

from collections.abc import Iterator

import pytest

from protocol.agent import ObservedState
from tests.miner_agent.access.places import PLACES, Place
from tests.miner_agent.access.renter import Echo, Renter
from tests.miner_agent.host import Host
from tests.miner_agent.leftovers import ended_after

#: what the renter asks for beside the image
VARIABLES = {
    "QUOTED": 'a "quoted" $value',
    "SINGLE": "it's",
    "BACK": "back\\slash\\",
    "HASH": "# none",
    "EMPTY": "",
    "LINES": "one\ntwo",
    # More than sshd itself could hand on.
    **{f"LONG_{number}": "x" * 32_700 for number in range(8)},
}


@pytest.fixture(scope="package", params=PLACES, ids=lambda place: place.name)
def renter(
    request: pytest.FixtureRequest, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Renter]:
    """A renter who is connected with a rental of one of the three images."""
    place: Place = request.param
    if host.process is None or host.process.poll() is not None:
        host.start()
    with ended_after(host):
        desired = host.desire(image=place.make(), environment=VARIABLES)
        seen = host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
        renter = Renter(tmp_path_factory.mktemp("renter"), host, place, desired, seen)
        with renter.connected():
            # The door and the image's command start beside each other.
            renter.wait_for_command()
            yield renter


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server of the renter's own machine."""
    echo = Echo()
    yield echo
    echo.shutdown()
    echo.server_close()
