"""This will write a log record as one line: a constant message, then its ids as ``key='value'``."""

import logging

_BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
#: Django's own extras are whole objects, not ids
_FOREIGN = frozenset({"request", "status_code", "server_time"})
#: of each value: strangers' words are among them
VALUE_CHARS_MAX = 300


class IdsFormatter(logging.Formatter):
    """Appends what was given as ``extra=`` in a stable order, cut and escaped."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        """Return the line without its trace."""
        ids = {
            name: value
            for name, value in vars(record).items()
            if name not in _BUILT_IN and name not in _FOREIGN
        }
        tail = "".join(f" {name}={str(ids[name])[:VALUE_CHARS_MAX]!r}" for name in sorted(ids))
        return super().formatMessage(record) + tail
