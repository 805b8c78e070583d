"""This will tell which tables a statement writes, also one that begins with what it reads."""

import re
from collections.abc import Iterable, Mapping, Sequence

#: not the UPDATE of FOR UPDATE, FOR NO KEY UPDATE and DO UPDATE
WRITE = re.compile(r'(?<!FOR )(?<!KEY )(?<!DO )\b(INSERT INTO|UPDATE|DELETE FROM) "?(\w+)')


def writes(sql: str) -> bool:
    """Say whether it writes anything."""
    return WRITE.search(sql) is not None


def updated(done: Iterable[Mapping[str, str]]) -> Sequence[str]:
    """Return the tables that captured queries update, in their order."""
    found = [WRITE.findall(each["sql"]) for each in done]
    return [table for some in found for verb, table in some if verb == "UPDATE"]
