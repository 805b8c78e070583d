"""This will read one line of JSON that a hostile machine may have written."""

import json
from collections.abc import Mapping, Sequence

#: nothing that the protocol says nests deeper; Source: gpu_verification.md 5.3, "JSON bombs"
DEPTH_MAX = 8
#: characters kept of any text; Source: gpu_verification.md 5.3, "ANSI escapes"
TEXT_CHARACTERS_MAX = 128


class LineRefused(ValueError):
    """The line is not one small, plain JSON object."""


def parse_object(line: bytes, *, bytes_max: int) -> Mapping[str, object]:
    """Return the object on ``line``, its texts cut to printable ASCII.

    :raises LineRefused: when it is too long, too deep, not an object, repeats a key or holds a
        number that is no integer.
    """
    if len(line) > bytes_max:
        raise LineRefused(f"The line is longer than {bytes_max} bytes.")
    _refuse_depth(line)
    try:
        content = json.loads(
            line.decode(),
            object_pairs_hook=_unrepeated,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except LineRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise LineRefused("The line is not JSON.") from error
    if not isinstance(content, dict):
        raise LineRefused("The line is not a JSON object.")
    return {printable(name): _cleaned(value) for name, value in content.items()}


def printable(text: str) -> str:
    """Return ``text`` without control, escape and non-ASCII characters, cut to its limit."""
    kept = "".join(character for character in text if " " <= character <= "~")
    return kept[:TEXT_CHARACTERS_MAX]


def _refuse_depth(line: bytes) -> None:
    """Count brackets before parsing; brackets inside texts only make the rule stricter."""
    depth = 0
    for byte in line:
        if byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise LineRefused("The line nests too deep.")
        elif byte in b"]}":
            depth -= 1


def _unrepeated(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise LineRefused("The line repeats a key.")
    return content


def _refuse_number(text: str) -> object:
    raise LineRefused("The line holds a number that is no integer.")


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(name)): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return value
