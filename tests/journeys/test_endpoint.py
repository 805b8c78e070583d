"""An endpoint with real programs: a caller reads a stream, and a killed replica comes back."""

from typing import Any

import httpx
import pytest

from scripts.demo import image
from tests.journeys.conftest import Renter
from tests.journeys.stack import Stack, until

pytestmark = pytest.mark.xdist_group("journeys")
#: says one thing, and the other once somebody asked for that
SERVER = """
mkdir -p /www/cgi-bin
cat > /www/cgi-bin/tokens <<'END'
#!/bin/sh
printf 'Content-Type: text/event-stream\\r\\n\\r\\ndata: one\\n\\n'
while [ ! -e /tmp/go ]; do sleep 0.05; done
printf 'data: two\\n\\n'
END
cat > /www/cgi-bin/go <<'END'
#!/bin/sh
touch /tmp/go
printf 'Content-Type: text/plain\\r\\n\\r\\n'
cat
END
chmod +x /www/cgi-bin/*
exec httpd -f -p 8080 -h /www
"""


def test_alice_keeps_an_endpoint_and_a_caller_reads_its_stream(
    stack: Stack, renter: Renter
) -> None:
    stack.start("gateway")
    until(stack.gateway_answers, "the gateway answers")
    asked = {
        "name": "tokens",
        "image": image.NAME,
        "command": ["sh", "-c", SERVER],
        "http_port": 8080,
        "resources": {
            "cpu": {"count": 1},
            "gpu": {"count": 0},
            "ram": {"capacity": 256 << 20},
            "hard_disk": {"capacity": 512 << 20},
        },
        "price_hour_microusd_max": 10_000_000,
    }
    made = stack.call("POST", "/endpoints", renter.key, asked)
    path = f"/endpoints/{made['id']}"

    def ready() -> Any:
        seen = stack.call("GET", path, renter.key)
        return seen if seen["state"] == "ready" else None

    (replica,) = until(ready, "a replica answers")["replicas"]
    bearer = {"authorization": f"Bearer {made['key']}"}
    with httpx.Client(headers=bearer, timeout=60) as caller:
        with caller.stream("GET", f"{made['url']}/cgi-bin/tokens") as answer:
            assert answer.status_code == 200
            parts = answer.iter_raw()
            # The rest waits for the next request, so this was passed on alone.
            assert next(parts) == b"data: one\n\n"
            told = caller.post(f"{made['url']}/cgi-bin/go", content=b"x" * 100_000)
            assert told.content == b"x" * 100_000
            assert b"".join(parts) == b"data: two\n\n"
        assert httpx.get(made["url"], timeout=60).status_code == 401
        stack.run("docker", "kill", f"berth-{replica['placement_id']}-0")
        until(
            lambda: caller.get(f"{made['url']}/cgi-bin/tokens").status_code == 200,
            "it answers again",
        )
    stack.call("DELETE", path, renter.key)
    stack.everything_is_given_back()
    billed = {placement_id for placement_id, _, _ in stack.books.billed()}
    assert replica["placement_id"] in map(str, billed)
    stack.kill("gateway")
