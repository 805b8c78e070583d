"""This will make one HTTP exchange: with a deadline, a limit on its size, and retries."""

import json
import time
from collections.abc import Callable, Mapping
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


class Exchange:
    """Sends calls to one marketplace.

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

        :raises Refused: when the marketplace said no.
        :raises CannotReach: when no usable answer came within the attempts.
        """
        for attempt in range(1, self._attempts_max + 1):
            last = attempt == self._attempts_max
            try:
                status, retry_after_s, body = self._once(call)
            except httpx.ConnectError as error:
                if last:
                    raise CannotReach(self._unreachable(error)) from error
            except httpx.TransportError as error:
                if last or not call.repeatable:
                    raise CannotReach(self._unreachable(error)) from error
            else:
                passing = status in PASSING_STATUSES and (call.repeatable or status == 429)
                if last or not passing or retry_after_s > RETRY_AFTER_S_MAX:
                    return _decoded(status, body)
                self._clock.sleep(retry_after_s)
            self._clock.sleep(0.2 * 4 ** (attempt - 1))
        raise AssertionError("The last attempt returns or raises.")

    def _once(self, call: Call) -> tuple[int, float, bytes]:
        deadline = self._clock.monotonic() + self._deadline_s
        with self._http.stream(
            call.method,
            call.path,
            params=call.params,
            json=call.body,
            headers=call.headers,
            timeout=httpx.Timeout(self._deadline_s, connect=min(5.0, self._deadline_s)),
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
        return f"Cannot reach {url}: {str(error) or type(error).__name__}."


def _decoded(status: int, body: bytes) -> Any:
    if status >= 400:
        raise refusal_of(status, body)
    if status >= 300:
        raise Refused("moved", "The marketplace sent us elsewhere; check its address.", status)
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise CannotReach("The answer is not JSON; is this address a Berth?", "not_berth") from None


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 0.0
