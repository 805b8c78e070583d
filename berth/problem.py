"""This will name the two ways a call can go wrong: refused, or never answered."""

import json
from typing import Any

#: codes of answers that are not Berth's own words: somebody else may be at its address
STRANGE = frozenset({"moved", "unexpected_answer"})


class Refused(Exception):
    """The marketplace (or a check on this side) said no: a stable code and one plain sentence."""

    def __init__(self, code: str, sentence: str, status: int = 0, *, certain: bool = True) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        #: the HTTP status; 0: refused on this side
        self.status = status
        #: False: an attempt before this answer got none, so it may be done all the same
        self.certain = certain


class CannotReach(Exception):
    """No usable answer came back: no connection, the deadline passed, or it is not Berth."""

    def __init__(self, sentence: str, code: str = "cannot_reach") -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def refusal_of(status: int, body: bytes, *, certain: bool = True) -> Refused:
    """Return the refusal inside an answer of ``status`` >= 400, whatever its body looks like."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return Refused(
            "unexpected_answer",
            f"The marketplace answered with status {status}.",
            status,
            certain=certain,
        )
    code = content.get("code")
    detail = content.get("detail")
    return Refused(
        code if isinstance(code, str) and code else "unexpected_answer",
        _sentence(detail) or f"The marketplace answered with status {status}.",
        status,
        certain=certain,
    )


def _sentence(detail: object) -> str:
    """Return ``detail`` as text; a framework's list of field errors becomes one line."""
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list):
        return "; ".join(_field_error(error) for error in detail)
    return ""


def _field_error(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    where = ".".join(str(part) for part in error.get("loc", ()))
    return f"{where}: {error.get('msg', 'not accepted')}"
