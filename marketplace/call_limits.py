"""This will count the calls of a program, so that none takes the site from the others.

Each process counts by itself, within windows of ten seconds: that costs microseconds. Where
Celery's queues are in Redis, the processes add their counts up there, once for each part of what a
caller may, so that a limit holds for all of them together to within a part for each process.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)
WINDOW_S = 10
#: of what a caller may in a window: so often a process that serves all of it asks Redis
PARTS = 20
#: nobody's call waits longer for Redis; once it did not answer, none asks for a while
TIMEOUT_S, AWAY_S = 0.1, 30
#: (subject, window, calls since the last time) -> the calls of all processes in that window
Add = Callable[[str, int, int], int]


class Calls:
    """Who called how often in the present window.

    ``add`` counts for all processes together; None: this one is the only one.
    """

    def __init__(self, add: Add | None) -> None:
        self._add = add
        self._lock = threading.Lock()
        self._window = 0
        #: by subject: the calls of this process, and the others' when it was asked last
        self._counts: dict[str, tuple[int, int]] = {}
        self._away_until_s = 0.0

    def take(self, subject: str, a_minute: int, now: datetime) -> int:
        """Count a call and return 0, or how many seconds the next one has to wait.

        ``a_minute``: how many there may be, a sixth of them within a window; 0: any number.
        """
        if not a_minute:
            return 0
        at_most = max(1, a_minute * WINDOW_S // 60)
        part = max(1, at_most // PARTS)
        now_s = now.timestamp()
        window = int(now_s) // WINDOW_S
        with self._lock:
            if window != self._window:
                # All at once: nothing of a former window is kept, however many callers it had.
                self._window, self._counts = window, {}
            mine, others = self._counts.get(subject, (0, 0))
            if mine + others >= at_most:
                return WINDOW_S - int(now_s) % WINDOW_S
            mine += 1
            self._counts[subject] = mine, others
        if self._add is not None and mine % part == 0 and now_s >= self._away_until_s:
            self._ask(self._add, subject, window, part, now_s)
        return 0

    def forget(self) -> None:
        """Count anew from here on."""
        with self._lock:
            self._counts = {}

    def _ask(self, add: Add, subject: str, window: int, part: int, now_s: float) -> None:
        try:
            everybodys = add(subject, window, part)
        except (RedisError, OSError):
            # Each process goes on counting by itself, so that nobody is refused for this.
            if not self._away_until_s:
                logger.warning("Calls are counted by each process alone: Redis does not answer")
            self._away_until_s = now_s + AWAY_S
            return
        self._away_until_s = 0.0
        with self._lock:
            if window == self._window:
                mine, _ = self._counts.get(subject, (0, 0))
                self._counts[subject] = mine, max(0, everybodys - mine)


def in_redis(url: str) -> Add | None:
    """Return what adds calls up in the Redis of this address; None: it is another kind of queue."""
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return None
    redis = Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # By itself it would try again for longer than a call may wait.
        retry=Retry(NoBackoff(), 0),
    )

    def add(subject: str, window: int, calls: int) -> int:
        # Hashed: nobody needs a list there of who called from where.
        key = f"berth:calls:{window}:{hashlib.sha256(subject.encode()).hexdigest()}"
        asked = redis.pipeline(transaction=False)
        asked.incrby(key, calls)
        asked.expire(key, 2 * WINDOW_S)
        return int(asked.execute()[0])

    return add


calls = Calls(in_redis(settings.QUEUES_URL))
