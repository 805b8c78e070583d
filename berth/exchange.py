"""This will make one HTTP exchange: with a deadline, a limit on its size, and retries."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx

from berth.problem import CannotReach, Refused, refusal_of

DEADLINE_S = 30.0
ATTEMPTS_MAX = 3
BODY_BYTES_MAX = 4 << 20
#: a wait longer than this is the person's decision, not ours
RETRY_AFTER_S_MAX = 10.0
#: answers that a second try may change
PASSING_STATUSES = frozenset({429, 502, 503, 504})
#: answers that say nothing about whether the call was done: the marketplace's, or a proxy's
UNCERTAIN_STATUS_MIN = 500


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from, so that a test or a simulation can drive it."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``repeatable``: sending it twice does no more than sending it once."""

    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = False
    body_bytes_max: int = BODY_BYTES_MAX


def once(path: str, key: str, *, body: Mapping[str, object] | None = None) -> Call:
    """Return a call that the marketplace does once, however often it arrives with this key."""
    return Call("POST", path, body=body, headers={"Idempotency-Key": key}, repeatable=True)


class Exchange:
    """Sends calls to one marketplace.

    The deadline is for a call with all its attempts and waits, from the name of the host to the
    last byte of the answer.

    A call that never left this machine is always tried again. One that may have arrived is tried
    again only where it is repeatable; the headers, and so the Idempotency-Key, stay the same.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        clock: Clock | None = None,
        deadline_s: float = DEADLINE_S,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._http = http
        self._clock = clock or Clock()
        self._deadline_s = deadline_s
        self._attempts_max = attempts_max

    def send(self, call: Call) -> Any:
        """Return the decoded JSON of the answer, None where it has no body.

        :raises Refused: when the marketplace said no; ``certain`` where every attempt heard so.
        :raises CannotReach: when no usable answer came within the attempts.
        """
        body = self.fetch(call)
        if not body.strip():
            return None
        try:
            return json.loads(body)
        except ValueError:
            sentence = "The answer is not JSON; is this address a Berth?"
            raise CannotReach(sentence, "not_berth") from None

    def fetch(self, call: Call) -> bytes:
        """Return the answer as it came, such as a PDF.

        :raises Refused: as ``send`` does.
        :raises CannotReach: as ``send`` does.
        """
        deadline = self._clock.monotonic() + self._deadline_s
        certain = True
        for attempt in range(1, self._attempts_max + 1):
            pause_s = 0.2 * 4 ** (attempt - 1)
            try:
                left_s = deadline - self._clock.monotonic()
                status, retry_after_s, body = self._within(left_s, call)
                last = self._is_last(attempt, deadline, pause_s + retry_after_s)
            except httpx.TransportError as error:
                left = isinstance(error, httpx.ConnectError)
                certain = certain and left
                last = self._is_last(attempt, deadline, pause_s)
                if last or not (left or call.repeatable):
                    raise CannotReach(self._unreachable(error)) from error
            else:
                certain = certain and status < UNCERTAIN_STATUS_MIN
                passing = status in PASSING_STATUSES and (call.repeatable or status == 429)
                if last or not passing or retry_after_s > RETRY_AFTER_S_MAX:
                    return _accepted(status, body, certain=certain)
                self._clock.sleep(retry_after_s)
            self._clock.sleep(pause_s)
        raise AssertionError("The last attempt returns or raises.")

    def _is_last(self, attempt: int, deadline: float, pause_s: float) -> bool:
        return attempt == self._attempts_max or self._clock.monotonic() + pause_s >= deadline

    def _within(self, left_s: float, call: Call) -> tuple[int, float, bytes]:
        """Return the answer if it is whole in time.

        The library's own limits are for each read: a server that sends its header byte by byte
        would keep us for ever. So another thread reads, and we leave it behind when time is up;
        closing the client ends its connection.
        """
        answer: Future[tuple[int, float, bytes]] = Future()

        def read() -> None:
            try:
                answer.set_result(self._once(call, left_s))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=read, name="berth-call", daemon=True).start()
        try:
            return answer.result(timeout=left_s)
        except TimeoutError:
            raise httpx.ReadTimeout("the answer came too slowly") from None

    def _once(self, call: Call, left_s: float) -> tuple[int, float, bytes]:
        deadline = self._clock.monotonic() + left_s
        with self._http.stream(
            call.method,
            call.path,
            params=call.params,
            json=call.body,
            headers=call.headers,
            timeout=httpx.Timeout(left_s, connect=min(5.0, left_s)),
        ) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > call.body_bytes_max:
                    raise CannotReach(
                        f"The answer is larger than {call.body_bytes_max} bytes.",
                        "answer_too_large",
                    )
                if self._clock.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer came too slowly", request=response.request)
            retry_after = response.headers.get("retry-after", "")
            return response.status_code, _seconds(retry_after), bytes(content)

    def _unreachable(self, error: httpx.TransportError) -> str:
        url = f"{self._http.base_url.scheme}://{self._http.base_url.netloc.decode()}"
        if isinstance(error, httpx.TimeoutException):
            return f"{url} did not answer within {self._deadline_s:g} s."
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        return f"Cannot reach {url}: {why}. The address is set by BERTH_URL or berth login."


def _accepted(status: int, body: bytes, *, certain: bool) -> bytes:
    if status >= 400:
        raise refusal_of(status, body, certain=certain)
    if status >= 300:
        raise Refused("moved", "The marketplace sent us elsewhere; check its address.", status)
    return body


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 0.0
