"""This will say which characters a name and a note may hold that others read.

They are shown on pages, in letters and in terminals. Control characters write over what stands in a
terminal, and what cannot be seen makes two names look alike or turns a sentence around.
"""

import unicodedata

from marketplace.domain.problem import Refused

#: embeddings, overrides and isolates: each turns the order of all that follows on its line
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
BREAKS, TAB = frozenset("\n\u2028\u2029"), "\t"


class TextRefused(Refused):
    code = "text_invalid"
    status = 422


def one_line(text: str) -> str:
    """Return a name without the space around it; it may be empty.

    :raises TextRefused: when it is more than one line, or a character cannot be seen.
    """
    name = text.strip()
    if any(_is_unseen(one) for one in name):
        raise TextRefused(
            "Write it on one line, without control characters and ones that nobody can see."
        )
    return name


def lines(text: str) -> str:
    """Return a note without the space around it, with one kind of line break; it may be empty.

    :raises TextRefused: when it holds a control character, or turns the order of what is read.
    """
    note = text.replace("\r\n", "\n").strip()
    if any(one in TURNS or (_is_control(one) and one not in ("\n", TAB)) for one in note):
        raise TextRefused(
            "Leave out control characters, and those that turn the order in which text is read."
        )
    return note


def seen(text: str) -> str:
    """Return what of a text can be part of a name: for what somebody never typed as one."""
    return "".join(one for one in text if not _is_unseen(one)).strip()


def _is_unseen(one: str) -> bool:
    return unicodedata.category(one)[0] == "C" or one in BREAKS


def _is_control(one: str) -> bool:
    return unicodedata.category(one) in ("Cc", "Cs")
