"""This will take what nobody else may know out of a text."""

import re
from collections.abc import Iterable

GONE = "[removed]"
#: shorter values, such as "1" and "true", are no secrets and are everywhere
SECRET_CHARACTERS_LEAST = 6
PATTERNS = (
    # A key, as a whole; one that is cut off, to the end of the text.
    re.compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
        re.DOTALL,
    ),
    # name and password of an address
    re.compile(r"(?<=://)[^/\s@\"']+(?=@)"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]+"),
    re.compile(r"(?i)(?<=basic )[\w+/=-]{8,}"),
    # what is called a secret: PASSWORD=x, "api_key": "x", --token x
    re.compile(
        r"(?i)(?<![a-z])((?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|private[_-]?key"
        r"|credential|auth)[\w-]*)[\"']?\s*(?:[=:]\s*|\s+(?=\S{6})))(\"[^\"]*\"|'[^']*'|[^\s,;\"'}]+)"
    ),
)


def redact(text: str, *, secrets: Iterable[str] = ()) -> str:
    """Return the text without these values, and without what looks like one."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SECRET_CHARACTERS_LEAST:
            text = text.replace(secret, GONE)
    *plain, named = PATTERNS
    for pattern in plain:
        text = pattern.sub(GONE, text)
    return named.sub(lambda match: match[1] + GONE, text)
