"""A small marketplace on the loopback: it speaks the agent's protocol and remembers everything."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

from protocol.agent import (
    DesiredPlacement,
    EnrolReply,
    EnrolRequest,
    ObservedPlacement,
    ObservedState,
    ObservedVolume,
    Problem,
    SyncReply,
    SyncRequest,
    Want,
)
from protocol.container_log import LogAsked, LogReport
from protocol.paths import (
    AGENT_API,
    AGENT_ENROL,
    AGENT_SYNC,
    HEADER_MACHINE,
    HEADER_SENT_AT,
    HEADER_SIGNATURE,
)
from protocol.receipts import SignedInterval, check_next
from protocol.signing import request_bytes, verify
from protocol.usage import Incident, Usage
from protocol.workload import DesiredVolume, JobFile, VolumeState

TOKEN = "one-time-token"
SYNC_HOLD_S = 25


class LoopbackMarket:
    """Desired state that tests set, observed state that they wait for."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.desired: dict[UUID, DesiredPlacement] = {}
        self.observed: dict[UUID, ObservedPlacement] = {}
        self.history: dict[UUID, list[ObservedState]] = {}
        self.chains: dict[UUID, list[SignedInterval]] = {}
        self.validators: tuple[str, ...] = ()
        self.machine_key = ""
        self.enrolled: EnrolRequest | None = None
        self.revision = 1
        self.syncs = 0
        #: the newest revision that the agent said it has applied
        self.applied = 0
        #: why the agent said that it can start nothing
        self.problem: Problem | None = None
        #: every reading and every incident that came, as often as it came
        self.readings: list[Usage] = []
        self.incidents: list[Incident] = []
        self.failures: list[str] = []
        self.silent = False
        #: files of jobs by their sha256, and those that each placement left
        self.blobs: dict[str, bytes] = {}
        self.left: dict[str, dict[str, bytes]] = {}
        #: False: it has no room for them now
        self.keeps_outputs = True
        self.refused_outputs = 0
        self.volumes: dict[UUID, DesiredVolume] = {}
        self.observed_volumes: dict[UUID, ObservedVolume] = {}
        self.gateways: tuple[str, ...] = ()
        #: whose logs are asked for, and what came of whom
        self.logs_asked: dict[UUID, LogAsked] = {}
        self.logs: dict[UUID, list[LogReport]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def want(self, placement: DesiredPlacement) -> None:
        with self.changed:
            self.desired[placement.placement_id] = placement
            self._raise_revision()

    def end(self, placement_id: UUID) -> None:
        with self.changed:
            placement = self.desired[placement_id]
            self.desired[placement_id] = placement.model_copy(
                update={"want": Want.END, "run_for_ms": None}
            )
            self._raise_revision()

    def drop(self, placement_id: UUID) -> None:
        with self.changed:
            del self.desired[placement_id]
            self._raise_revision()

    def admit(self, *keys: str) -> None:
        with self.changed:
            self.validators = keys
            self._raise_revision()

    def keep(self, volume: DesiredVolume) -> None:
        with self.changed:
            self.volumes[volume.volume_id] = volume
            self._raise_revision()

    def forget(self, volume_id: UUID) -> None:
        """Ask for the volume no more."""
        with self.changed:
            del self.volumes[volume_id]
            self._raise_revision()

    def ask_for_log(self, placement_id: UUID, *, lines_most: int = 100) -> LogReport:
        """Ask for the end of a log and return what the machine answers."""
        asked = LogAsked(placement_id=placement_id, asked_id=uuid4(), lines_most=lines_most)
        with self.changed:
            self.logs_asked[placement_id] = asked
            self._raise_revision()
        self.wait_until(lambda: placement_id not in self.logs_asked)
        return self.logs[placement_id][-1]

    def _take_log(self, path: str, report: LogReport) -> tuple[int, bytes]:
        placement_id = UUID(path.split("/")[-2])
        asked = self.logs_asked.get(placement_id)
        with self.changed:
            if report.asked_id is not None and (asked is None or asked.asked_id != report.asked_id):
                return 409, _problem(409, "not_asked", "Nobody asked for that.")
            self.logs_asked.pop(placement_id, None)
            self.logs.setdefault(placement_id, []).append(report)
            self.changed.notify_all()
        return 204, b""

    def wait_for_volume(self, volume_id: UUID, state: VolumeState | None) -> None:
        """Wait until the volume is seen in this state, None: told of no more."""

        def is_there() -> bool:
            seen = self.observed_volumes.get(volume_id)
            return (None if seen is None else seen.state) is state

        self.wait_until(is_there)

    def open_to(self, *keys: str) -> None:
        """Let these gateways reach replicas."""
        with self.changed:
            self.gateways = keys
            self._raise_revision()

    def wait_for(self, placement_id: UUID, state: ObservedState, *, deadline_s: float = 180):
        """Return the placement once it is seen in this state."""
        with self.changed:
            seen = self.changed.wait_for(lambda: self.has_seen(placement_id, state), deadline_s)
            assert seen, f"not {state} in {deadline_s} s: {self.observed.get(placement_id)}"
            return self.observed[placement_id]

    def wait_until(self, condition, *, deadline_s: float = 180) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, deadline_s), "it did not happen in time"

    def has_seen(self, placement_id: UUID, state: ObservedState) -> bool:
        """Say whether the placement was last seen in this state."""
        return placement_id in self.observed and self.observed[placement_id].state is state

    def _raise_revision(self) -> None:
        self.revision += 1
        self.changed.notify_all()

    def _enrol(self, request: EnrolRequest) -> tuple[int, bytes]:
        if request.token != TOKEN:
            detail = "This enrolment token is not known."
            return 404, _problem(404, "enrolment_token_unknown", detail)
        self.enrolled, self.machine_key = request, request.machine_key
        return 200, EnrolReply(machine_id=uuid4()).model_dump_json().encode()

    def _sync(self, request: SyncRequest) -> tuple[int, bytes]:
        with self.changed:
            self.syncs += 1
            self.applied = request.revision
            self.problem = request.problem
            self.readings += [request.usage] if request.usage is not None else []
            self.incidents += request.incidents
            for signed in request.intervals:
                self._store(signed)
            for placement in request.placements:
                self.observed[placement.placement_id] = placement
                states = self.history.setdefault(placement.placement_id, [])
                if not states or states[-1] is not placement.state:
                    states.append(placement.state)
            self.observed_volumes = {one.volume_id: one for one in request.volumes}
            self.changed.notify_all()
            hold_s = min(request.hold_s, SYNC_HOLD_S)
            self.changed.wait_for(lambda: self.revision > request.revision, hold_s)
            reply = SyncReply(
                nonce=f"nonce-{self.syncs}",
                server_time_ms=time.time_ns() // 1_000_000,
                revision=self.revision,
                desired=tuple(self._with_sequence(one) for one in self.desired.values()),
                validators=self.validators,
                volumes=tuple(self.volumes.values()),
                gateways=self.gateways,
                logs=tuple(self.logs_asked.values()),
            )
        return 200, reply.model_dump_json().encode()

    def _store(self, signed: SignedInterval) -> None:
        chain = self.chains.setdefault(signed.interval.placement_id, [])
        if signed.interval.sequence < len(chain):
            if chain[signed.interval.sequence] != signed:
                self.failures.append(f"interval {signed.interval.sequence} was rewritten")
            return
        previous = chain[-1].interval if chain else None
        check_next(signed, machine_key=self.machine_key, previous=previous)
        chain.append(signed)

    def _with_sequence(self, desired: DesiredPlacement) -> DesiredPlacement:
        count = len(self.chains.get(desired.placement_id, ()))
        return desired.model_copy(update={"next_sequence": count})

    def give(self, path: str, content: bytes) -> JobFile:
        """Keep an input of a job."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return JobFile(path=path, digest=digest, size_bytes=len(content))

    def outputs(self, placement_id: UUID) -> dict[str, bytes]:
        """Return what a job left, by its path."""
        left = self.left[str(placement_id)]
        return {one.path: left[one.digest] for one in self.observed[placement_id].outputs}

    def _blob(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        digest = path.rpartition("/")[2]
        if method == "GET":
            if digest not in self.blobs:
                return 404, _problem(404, "blob_unknown", "There is no such file.")
            return 200, self.blobs[digest]
        if hashlib.sha256(body).hexdigest() != digest:
            return 422, _problem(422, "digest_differs", "These bytes have another sha256.")
        if not self.keeps_outputs:
            with self.changed:
                self.refused_outputs += 1
                self.changed.notify_all()
            return 503, _problem(503, "unavailable", "There is no room.")
        placement_id = path.removeprefix(f"{AGENT_API}/placements/").partition("/")[0]
        self.left.setdefault(placement_id, {})[digest] = body
        return 204, b""

    def answer(self, path: str, headers, body: bytes, *, method: str = "POST") -> tuple[int, bytes]:
        if HEADER_SENT_AT not in headers:
            return 401, _problem(401, "unauthenticated", "The request is not signed.")
        sender, sent_at_ms = headers[HEADER_MACHINE], int(headers[HEADER_SENT_AT])
        signed = request_bytes(
            method=method, path=path, sender=sender, sent_at_ms=sent_at_ms, body=body
        )
        if not verify(sender, signed, headers[HEADER_SIGNATURE]):
            return 401, _problem(401, "unauthenticated", "The signature does not match.")
        if path == AGENT_ENROL:
            return self._enrol(EnrolRequest.model_validate_json(body))
        if method != "POST" and not self.silent:
            return self._blob(method, path, body)
        if path == AGENT_SYNC and not self.silent:
            return self._sync(SyncRequest.model_validate_json(body))
        if path.endswith("/log") and not self.silent:
            return self._take_log(path, LogReport.model_validate_json(body))
        return 503, _problem(503, "unavailable", "The marketplace is not there.")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        market = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                method = {} if self.command == "POST" else {"method": self.command}
                try:
                    status, answer = market.answer(self.path, self.headers, body, **method)
                except Exception as error:
                    market.failures.append(repr(error))
                    status, answer = 500, _problem(500, "broken", repr(error))
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_PUT = do_POST  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                """Stay quiet."""

        return Handler


def _problem(status: int, code: str, detail: str) -> bytes:
    return json.dumps({"status": status, "code": code, "detail": detail}).encode()
