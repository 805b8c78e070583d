"""The API's description leaves no error, no code and no way in unsaid."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from ninja import Schema
from ninja.responses import NinjaJSONEncoder

from marketplace import sync
from marketplace.api import api
from marketplace.described_api import codes
from marketplace.domain.problem import Refused


def described() -> dict[str, Any]:
    """Return the description as this process answers it now."""
    schema: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))
    return schema


SCHEMA = described()
OPERATIONS = {
    f"{method} {path}": operation
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
#: anyone may look, and a key is what one comes for
OPEN = {
    *("post /api/v1/auth/key", "get /api/v1/offers", "get /api/v1/offers/{offer_id}"),
    "post /api/v1/offers/{offer_id}/quote",
    *("get /api/v1/templates", "get /api/v1/templates/{name}"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_does_how_it_refuses_and_who_may_call(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"].endswith(".")
    assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    scheme = "SignedByValidator" if "/validator/" in name else "ApiKeyBearer"
    is_open = name in OPEN or "/scores/" in name or "/v1/machines/" in name
    assert operation["security"] == ([] if is_open else [{scheme: []}])


def test_the_error_is_described_once_with_its_content_type() -> None:
    components = SCHEMA["components"]
    assert set(components["responses"]["Problem"]["content"]) == {"application/problem+json"}
    assert components["schemas"]["ProblemDetails"]["required"] == ["status", "code", "detail"]
    # A reason of a verdict is another shape, whose name is taken.
    assert components["schemas"]["Problem"]["required"] == ["code", "message"]
    assert "X-Bittensor-Hotkey" in components["securitySchemes"]["SignedByValidator"]["description"]


def test_every_code_stands_in_the_description_with_a_sentence() -> None:
    # Whoever runs a command in this process may have brought another refusal with it.
    told = described()["info"]["description"]
    #: of the agents' door, which Django does not know
    assert sync.BodyTooSlow.code in codes()
    kinds = [Refused]
    while kinds:
        below = kinds.pop().__subclasses__()
        found = [one for one in below if one.__module__.startswith("marketplace.")]
        kinds += found
        for refused in found:
            assert f"| `{refused.code}` | " in told
            assert refused.status in codes()[refused.code][0]
    assert all(text.endswith(".") for _, text in codes().values())
    assert [one for one, (_, text) in codes().items() if text == Refused.sentence] == []


@pytest.mark.parametrize("path", ["/api/v1/gone", "/api/gone", "/api/v1/jobs/1/outputs/a%0Ab"])
def test_an_address_where_nothing_is_is_refused_in_the_one_shape(path: str) -> None:
    reply = Client().get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/offers", "/api/v1/me", "/api/agent/v1/enrol"])
def test_a_wrong_method_is_refused_in_the_one_shape(path: str) -> None:
    reply = Client().put(path)
    assert reply.status_code == 405
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.json()["status"], reply.json()["code"]) == (405, "invalid")
    assert reply.headers["allow"] in reply.json()["detail"]


def test_no_two_shapes_share_a_name() -> None:
    """The description holds one for each name: another one's would be told wrongly."""
    kinds, named = [Schema], set()
    while kinds:
        for one in kinds.pop().__subclasses__():
            kinds.append(one)
            if one.__module__.startswith("marketplace."):
                assert one.__name__ not in named, one
                named.add(one.__name__)
    assert "RentalReply" in named


def patterns(described: object) -> Iterator[str]:
    """Yield all that strings must look like."""
    if isinstance(described, dict):
        if isinstance(described.get("pattern"), str):
            yield described["pattern"]
        yield from described.get("patternProperties", ())
    if isinstance(described, dict | list):
        for part in described.values() if isinstance(described, dict) else described:
            yield from patterns(part)


def test_a_pattern_takes_no_line_break_at_its_end_in_python_either() -> None:
    name = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$(?!\n)"
    assert name in set(patterns(SCHEMA))
    assert re.search(name, "HOME")
    assert not re.search(name, "HOME\n")
    assert not [one for one in patterns(SCHEMA) if re.search(r"\$(?!\(\?!\\n\))", one)]
    assert set(patterns(described())) == set(patterns(SCHEMA))
