"""This will say whether a GPU's name is the one that a person asks for."""

import re

#: words of a driver's name for a card that say nothing of which card it is, unless asked for
_BESIDE = re.compile(
    r"nvidia|geforce|tesla|quadro|generation|gpu|\d+gb|hbm\d\w*|gddr\d\w*|pcie|sxm\d?|nvl"
)


def is_called(name: str, asked: str) -> bool:
    """Say whether the card is what is asked for: ``NVIDIA GeForce RTX 4090`` is an ``rtx_4090``.

    Every word asked for stands in the name, and what else stands there is its maker, its memory or
    its plug: an ``RTX 4090 D`` or a slice of a card is another thing.
    """
    words, wanted = _words(name), _words(asked)
    if not words or not wanted or not set(wanted) <= set(words):
        return False
    return all(word in wanted or _BESIDE.fullmatch(word) for word in words)


def contains(name: str, part: str) -> bool:
    """Say whether the name contains the part, however its letters are cased."""
    return " ".join(_words(part)) in " ".join(_words(name))


def _words(text: str) -> list[str]:
    return text.replace("_", " ").replace("-", " ").lower().split()
