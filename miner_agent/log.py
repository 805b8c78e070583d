"""This will write the agent's log: a constant message, then the structured fields of the record."""

import logging

PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
CHATTY = ("httpx", "httpcore", "asyncssh", "urllib3")


class Fields(logging.Formatter):
    """``2026-01-01 12:00:00,000 INFO placement runs placement=...``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; line breaks inside a field are escaped."""
        line = super().format(record)
        extra = {name: value for name, value in vars(record).items() if name not in PLAIN}
        fields = (f"{name}={str(value)[:300]!r}" for name, value in sorted(extra.items()))
        return " ".join((line, *fields))


def configure() -> None:
    """Log to standard error from INFO on; the libraries only from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Fields("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
