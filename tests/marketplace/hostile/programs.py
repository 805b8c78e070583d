"""Every operation of the API, and how a program asks it for what is Ada's."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.test import Client

from marketplace.api import api
from marketplace.call_limits import calls
from tests.browser.world import World
from tests.marketplace import scene
from tests.marketplace.hostile.everybody import Browser, parts_of

PART = re.compile(r"{(\w+)}")
HOTKEY = scene.Judge().keypair.ss58_address


def operations() -> Iterator[str]:
    """Yield each operation as ``GET /rentals/{rental_id}``."""
    for path, methods in api.get_openapi_schema(path_prefix="/")["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"


def path_of(world: World, about: str) -> tuple[str, str]:
    """Return the method and the path of an operation on what is Ada's."""
    method, _, route = about.partition(" ")
    parts = parts_of(world, route.removeprefix("/"))
    return method, "/api/v1" + PART.sub(lambda part: str(parts[part[1]]), route) + asks(route)


def asks(route: str) -> str:
    """Return what an address has to ask for, of a page as of an operation."""
    return f"?hotkey={HOTKEY}" if route.endswith("/hotkey") else ""


def call(method: str, path: str, told: Mapping[str, str], body: object) -> Any:
    """Return the answer to a program."""
    calls.forget()
    return Browser(Client()).ask(
        method, path, data=json.dumps(body), content_type="application/json", headers=told
    )
