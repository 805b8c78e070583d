"""This will count what waits in Celery's queues, where they are in Redis."""

import logging
from collections.abc import Sequence

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)
#: a page waits no longer for it
TIMEOUT_S = 1


class QueuesUnreachable(Exception):
    """Redis did not answer: then no pass is handed out either."""


def lengths(url: str, names: Sequence[str]) -> dict[str, int] | None:
    """Return how many passes wait in each queue; None: they are not in Redis.

    :raises QueuesUnreachable: when Redis does not answer in time.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return None
    try:
        # By itself it would try again for longer than anybody waits for a page.
        with Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        ) as broker:
            asked = broker.pipeline(transaction=False)
            for name in names:
                asked.llen(name)
            return dict(zip(names, map(int, asked.execute()), strict=True))
    except (RedisError, OSError, ValueError) as error:
        logger.warning("Queues not reachable", extra={"error": type(error).__name__})
        raise QueuesUnreachable from error
