"""This will run one-shot jobs: upload their inputs, follow them, and fetch what they left."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import httpx
from pydantic import Field

from berth.exchange import Call, Exchange
from berth.problem import CannotReach, refusal_of
from berth.reading import read
from berth.shapes import Shape
from protocol.hardware import Resources
from protocol.workload import JobFile, RelativePath

OVER = frozenset({"done", "failed"})
#: a transfer of which nothing is heard for so long is over
SILENT_S = 60.0
CHUNK_BYTES = 256 << 10
REFUSAL_BYTES_MAX = 64 << 10
PAGES_MAX = 200
#: what a job said, each the end of it
STDOUT, STDERR = ".stdout", ".stderr"


class Job(Shape):
    id: str
    state: str
    progress: str | None = ""
    #: None: its process did not exit by itself, or not yet
    exit_code: int | None = None
    reason_code: str | None = ""
    reason: str | None = ""
    placement_id: str | None = None
    image: str = ""
    command: tuple[str, ...] = ()
    outputs: tuple[JobFile, ...] = ()
    resources: Resources | None = None
    run_limit_s: int = 0
    price_hour_microusd: int = 0
    worst_total_microusd: int | None = None
    #: zero until it is over
    cost_microusd: int = 0
    started_at: datetime | None = None
    running_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def over(self) -> bool:
        """Say whether nothing more comes of it."""
        return self.state in OVER


class Uploaded(Shape):
    digest: str


class InputFile(Shape):
    #: below /input
    path: RelativePath
    digest: str


class JobRequest(Shape):
    offer_id: str
    image: str
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    resources: Resources
    run_limit_s: int
    outputs_bytes_max: int
    #: refuse when an hour costs more; None: any price
    price_hour_microusd_max: int | None = None


class Jobs:
    """One renter's jobs. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(
        self, http: httpx.Client, exchange: Exchange, *, new_id: Callable[[], str]
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._new_id = new_id

    def upload(self, file: BinaryIO) -> str:
        """Return the sha256 by which a job names the file; the same file again is the same."""
        content = iter(lambda: file.read(CHUNK_BYTES), b"")
        with self._stream("POST", "/blobs", content=content) as answer:
            return read(Uploaded, json.loads(answer.read())).digest

    def run(self, request: JobRequest) -> Job:
        """Return the new job. A lost answer is asked for again, never run twice."""
        body = request.model_dump(mode="json")
        headers = {"Idempotency-Key": self._new_id()}
        call = Call("POST", "/jobs", body=body, headers=headers, repeatable=True)
        return read(Job, self._exchange.send(call))

    def find(self, job_id: str) -> Job:
        """Return one job as it is now."""
        call = Call("GET", f"/jobs/{quote(job_id, safe='')}", repeatable=True)
        return read(Job, self._exchange.send(call))

    def all(self) -> Iterator[Job]:
        """Yield the jobs, newest first, asking for the next page only when needed."""
        params: dict[str, str | int] = {}
        for _ in range(PAGES_MAX):
            answer = self._exchange.send(Call("GET", "/jobs", params=params, repeatable=True))
            page = answer if isinstance(answer, dict) else {}
            yield from read(tuple[Job, ...], page.get("items"))
            if not page.get("next_cursor"):
                return
            params = {"cursor": str(page["next_cursor"])}

    def cancel(self, job_id: str) -> Job:
        """End a job before it exits: nothing after this request is charged."""
        call = Call("POST", f"/jobs/{quote(job_id, safe='')}/cancel", repeatable=True)
        return read(Job, self._exchange.send(call))

    def fetch(self, job_id: str, output: JobFile, into: BinaryIO) -> None:
        """Write a file that the job left; what came is checked against its sha256."""
        told, length = hashlib.sha256(), 0
        path = f"/jobs/{quote(job_id, safe='')}/outputs/{quote(output.path)}"
        with self._stream("GET", path) as answer:
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                told.update(chunk)
                length += len(chunk)
                if length > output.size_bytes:
                    break
                into.write(chunk)
        if told.hexdigest() != output.digest:
            raise CannotReach(f"{output.path} came broken; fetch it again.", "digest_wrong")

    def _stream(
        self, method: str, path: str, *, content: Iterator[bytes] | None = None
    ) -> "_Answer":
        request = self._http.build_request(
            method, path, content=content, timeout=httpx.Timeout(SILENT_S, connect=5.0)
        )
        return _Answer(self._http, request)


class _Answer:
    """An answer that is read as it comes, in a ``with``."""

    def __init__(self, http: httpx.Client, request: httpx.Request) -> None:
        self._http, self._request = http, request
        self._response: httpx.Response | None = None

    def __enter__(self) -> "_Answer":
        try:
            self._response = self._http.send(self._request, stream=True)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if self._response.status_code >= 300:
            body = b"".join(self.iter_bytes(REFUSAL_BYTES_MAX))[:REFUSAL_BYTES_MAX]
            self._response.close()
            raise refusal_of(self._response.status_code, body)
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()

    def iter_bytes(self, size: int) -> Iterator[bytes]:
        """Yield what comes."""
        assert self._response is not None  # noqa: S101 - entered
        try:
            yield from self._response.iter_bytes(size)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def read(self) -> bytes:
        """Return a short answer."""
        return b"".join(self.iter_bytes(CHUNK_BYTES))

    def _unreachable(self, error: httpx.HTTPError) -> CannotReach:
        return CannotReach(f"Cannot reach {self._request.url.host}: {error or type(error)}.")


def target_of(folder: Path, output: JobFile) -> Path:
    """Return where to write an output below a folder; its path is relative and plain."""
    return folder.joinpath(*output.path.split("/"))
