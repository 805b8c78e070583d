"""Whatever is sent to the API, about what is there, is answered as its description says.

Source: https://schemathesis.readthedocs.io
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as bounds
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.pytest.lazy import get_all_tests

from tests.marketplace.hostile.everybody import taken_back
from tests.marketplace.signing import signing
from tests.marketplace.things import Things, gathered

pytestmark = pytest.mark.django_db
CONFIG = schemathesis.Config.from_dict(
    {
        # Its own reader unpacks nothing.
        "headers": {"Accept-Encoding": "identity"},
        "generation": {"deterministic": True, "max-examples": 5},
        "checks": {
            # What fits the description and cannot be done has a code of its own: see below.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", 400, 401, 402, 403, 404, 409, 413, 422, 429]
            },
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 422, 429]
            },
        },
        "operations": [
            # A parameter that it does not know is no fault, here as elsewhere.
            {
                "include-path": "/api/v1/statement.csv",
                "checks": {"negative_data_rejection": {"enabled": False}},
            }
        ],
    }
)
SCHEMA = schemathesis.openapi.from_wsgi(
    "/api/v1/openapi.json", signing(get_wsgi_application()), config=CONFIG
)
LABELS = [operation.ok().label for operation in SCHEMA.get_all_operations()]
# Of no operation pytest would make a test that is left out.
assert LABELS, "The API's description names no operation."


@pytest.fixture(autouse=True)
def _however_often(settings: Settings) -> None:
    """Refuse nothing for coming often: how much fits into ten seconds differs from run to run."""
    settings.KEY_CALLS_A_MINUTE = settings.ADDRESS_CALLS_A_MINUTE = 0
    settings.PROGRAM_CALLS_A_MINUTE = 0


@pytest.fixture(scope="module")
def there(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Things]:
    """Have one of each thing be there, and the connection too when a request is over."""
    changed = override_settings(
        BLOBS_DIR=str(tmp_path_factory.mktemp("blobs")),
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    )
    with django_db_blocker.unblock(), changed, gathered() as things:
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)
        yield things
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@cache
def made() -> dict[str, Callable[..., None]]:
    """Make the tests up: that takes a while, which not each process has that only lists them.

    No public function does it one by one; pyproject.toml names the version whose own this is.
    """
    load_all_checks()
    every = get_all_tests(schema=SCHEMA, test_func=check, settings=None, given_kwargs={})
    return {operation.label: test for operation, test in (one.ok() for one in every)}


@pytest.mark.parametrize("label", LABELS)
def test_an_operation_answers_as_described(label: str, there: Things) -> None:
    assert label in made(), f"Schemathesis made up no cases for {label}: {sorted(made())}."
    there.turn = 0
    made()[label](there=there)


@bounds(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def check(case: schemathesis.Case, there: Things) -> None:
    there.put(case)
    # Schemathesis asks a WSGI site for packed answers and does not unpack them.
    told = {"Accept-Encoding": "identity", **there.headers(case)}
    with taken_back():
        response = case.call_and_validate(headers=told)
    fits = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if fits and response.status_code in (400, 422):
        # "invalid" is the code of a wrong shape, which this is not.
        told_invalid = response.json()["code"] == "invalid"
        assert not told_invalid, f"Fits the description, and is refused as wrong: {response.text}"
