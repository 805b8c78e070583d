"""What a gateway reads of endpoints, several times a second."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.endpoints.gateway import routes
from marketplace.endpoints.gateway.routes import Target
from protocol.agent import ObservedState
from tests.marketplace.endpoints.conftest import Site, newest


def test_of_a_workload_only_the_port_is_read(site: Site) -> None:
    site.created(environment={"MODEL": "x" * 1000})
    site.tell(newest(), ObservedState.RUNNING, at=1, age_ms=0)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        (route,) = routes.read().values()
    (target,) = route.targets
    assert target.http_port == 8080
    (running,) = (one["sql"] for one in asked if '"workload"' in one["sql"])
    (row,) = _rows(running)
    assert all("MODEL" not in str(value) for value in row)


def test_it_is_read_which_replicas_have_answered(site: Site) -> None:
    site.created()
    site.tell(newest(), ObservedState.RUNNING, at=1, age_ms=0)
    before = _target()
    site.look(newest(), at=2)
    assert (before.answered, _target().answered) == (False, True)
    # It is the same replica at the same place: what is under way to it goes on.
    assert before == _target()


def test_endpoints_of_a_renter_who_is_shut_out_are_not_served(site: Site) -> None:
    site.created()
    site.tell(newest(), ObservedState.RUNNING, at=1, age_ms=0)
    assert [len(route.targets) for route in routes.read().values()] == [1]
    site.renter.is_active = False
    site.renter.save()
    assert routes.read() == {}


def _target() -> Target:
    ((target,),) = (route.targets for route in routes.read().values())
    return target


def _rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
