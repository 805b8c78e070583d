"""This will say which characters a name and a note may hold that others read.

They are shown on pages, in letters and in terminals. Control characters write over what stands in a
terminal, and what cannot be seen makes two names look alike or turns a sentence around.
"""

import unicodedata

from marketplace.domain.problem import Refused

#: embeddings, overrides and isolates: each turns the order of all that follows on its line
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Neither seen nor a control character: fillers of Hangul, a blank of Braille and a joiner that
#: joins nothing. What picks the look of a sign (U+FE0F) stays: emoji are written with it.
BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
#: unseen in a note: a space of no width, and marks that turn what is next to them
MARKS = frozenset("\u061c\u200b\u200e\u200f")
#: look as a space does, so that a name with one is the same name
NO_BREAK = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f", " "))
BREAKS, TAB = frozenset("\n\u2028\u2029"), "\t"


class TextRefused(Refused):
    """A name or a note has a character that nobody can see, or that turns what is read."""

    code = "text_invalid"
    status = 422


def one_line(text: str) -> str:
    """Return a name without the space around it and with plain spaces in it; it may be empty.

    :raises TextRefused: when it is more than one line, or a character cannot be seen.
    """
    name = plain(text).strip()
    if any(_is_unseen(one) for one in name):
        raise TextRefused(
            "Write it on one line, without control characters and ones that nobody can see."
        )
    return name


def lines(text: str) -> str:
    """Return a note without the space around it, with one kind of line break; it may be empty.

    :raises TextRefused: when a character of it cannot be seen or turns what is read.
    """
    note = text.replace("\r\n", "\n").strip()
    if any(one in TURNS | MARKS or (_is_control(one) and one not in ("\n", TAB)) for one in note):
        raise TextRefused(
            "Leave out control characters, and those that nobody can see or that turn what is read."
        )
    return note


def seen(text: str) -> str:
    """Return what of a text can be part of a name: for what somebody never typed as one."""
    return "".join(one for one in plain(text) if not _is_unseen(one)).strip()


def plain(text: str) -> str:
    """Return the text with plain spaces for those that look alike and break no line."""
    return text.translate(NO_BREAK)


def _is_unseen(one: str) -> bool:
    return unicodedata.category(one)[0] == "C" or one in BREAKS | BLANK


def _is_control(one: str) -> bool:
    return unicodedata.category(one) in ("Cc", "Cs")
