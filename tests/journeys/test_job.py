"""A job with real programs: a file goes in, a command runs once, and what it left comes out."""

import pytest

from scripts.demo import image
from tests.journeys.conftest import Renter
from tests.journeys.stack import Stack, until

pytestmark = pytest.mark.xdist_group("journeys")
COMMAND = "sort /input/words > /output/sorted; echo done; exit 3"


def test_alice_runs_a_job_and_fetches_what_it_left(stack: Stack, renter: Renter) -> None:
    signed = {"authorization": f"Bearer {renter.key}"}
    uploaded = stack.client.post("/blobs", headers=signed, content=b"b\na\n").json()
    offer = stack.call("GET", "/offers?verified=false")["items"][0]
    asked = {
        "offer_id": offer["id"],
        "image": image.NAME,
        "command": ["sh", "-c", COMMAND],
        "inputs": [{"path": "words", "digest": uploaded["digest"]}],
        "resources": {
            "cpu": {"count": 1},
            "gpu": {"count": 0},
            "ram": {"capacity": 256 << 20},
            "hard_disk": {"capacity": 512 << 20},
        },
        "run_limit_s": 60,
        "outputs_bytes_max": 1 << 20,
    }
    job_id = stack.call("POST", "/jobs", renter.key, asked)["id"]

    def over() -> object:
        seen = stack.call("GET", f"/jobs/{job_id}", renter.key)
        return seen if seen["state"] in ("done", "failed") else None

    job = until(over, "the job is over")
    assert (job["state"], job["exit_code"], job["reason_code"]) == ("done", 3, "exited"), job
    assert {file["path"] for file in job["outputs"]} == {"sorted", ".stdout", ".stderr"}

    def left(path: str) -> bytes:
        return stack.client.get(f"/jobs/{job_id}/outputs/{path}", headers=signed).content

    assert (left("sorted"), left(".stdout")) == (b"a\nb\n", b"done\n")
    assert job["cost_microusd"] <= job["worst_total_microusd"]
    until(lambda: not stack.left_over(), "nothing is left")
