"""This will read one line of JSON that a hostile machine may have written."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter

#: nothing that the protocol says nests deeper; Source: gpu_verification.md 5.3, "JSON bombs"
DEPTH_MAX = 8
#: characters kept of any text; Source: gpu_verification.md 5.3, "ANSI escapes"
TEXT_CHARACTERS_MAX = 128
#: 64 bits and a sign
INTEGER_CHARACTERS_MAX = 20
#: a page escapes them as well; no part of a computer has them in its name
_MARKUP = "<>"


class LineRefused(ValueError):
    """The line is not one small, plain JSON object."""


def parse_object(
    line: bytes,
    *,
    bytes_max: int,
    characters_max: int = TEXT_CHARACTERS_MAX,
    depth_max: int = DEPTH_MAX,
) -> Mapping[str, object]:
    """Return the object on ``line``, its texts cut to ``characters_max`` of printable ASCII.

    :raises LineRefused: when it is too long, too deep, not an object, repeats a key, names one
        that is not printable, or holds a number that is no integer of at most 20 digits.
    """
    if len(line) > bytes_max:
        raise LineRefused(f"The line is longer than {bytes_max} bytes.")
    try:
        text = line.decode().removesuffix("\n")
        # Nearly every line: then all that it says is printable, and is only cut.
        plain = _is_plain(text) and "\\" not in text
        content = json.loads(
            text,
            object_pairs_hook=_unrepeated if plain else _unrepeated_and_printable,
            parse_int=_short_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except LineRefused:
        raise
    except RecursionError as error:
        # The parser's own limit, far beyond ours.
        raise LineRefused("The line nests too deep.") from error
    except ValueError as error:
        raise LineRefused("The line is not JSON.") from error
    if not isinstance(content, dict):
        raise LineRefused("The line is not a JSON object.")
    cut = slice(characters_max)
    clean = itemgetter(cut) if plain else partial(printable, characters_max=characters_max)
    return {name: _cleaned(value, depth_max - 1, clean) for name, value in content.items()}


def printable(text: str, *, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """Return ``text`` cut to its limit, without control, escape, HTML and non-ASCII characters."""
    if not _is_plain(text):
        kept = text[: 8 * characters_max]
        text = "".join(one for one in kept if " " <= one <= "~" and one not in _MARKUP)
    return text[:characters_max]


def _is_plain(text: str) -> bool:
    """Say whether a text holds only what may be shown."""
    return text.isascii() and text.isprintable() and not any(one in text for one in _MARKUP)


def _unrepeated(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise LineRefused("The line repeats a key.")
    return content


def _unrepeated_and_printable(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    content = _unrepeated(pairs)
    if any(printable(name) != name for name in content):
        # Cleaned, it could become another key.
        raise LineRefused("The line has a key that is not printable.")
    return content


def _short_integer(text: str) -> int:
    if len(text) > INTEGER_CHARACTERS_MAX:
        raise LineRefused("The line holds a number of too many digits.")
    return int(text)


def _refuse_number(text: str) -> object:
    raise LineRefused("The line holds a number that is no integer.")


def _cleaned(value: object, depth_left: int, clean: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth_left == 0:
        raise LineRefused("The line nests too deep.")
    if isinstance(value, dict):
        return {name: _cleaned(inner, depth_left - 1, clean) for name, inner in value.items()}
    return [_cleaned(inner, depth_left - 1, clean) for inner in value]
