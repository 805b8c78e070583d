"""This will add what is missing to Docker's own settings, and change nothing that is there."""

import json
from collections.abc import Mapping

#: rentals outlive a restart of Docker, root inside is nobody outside, and nobody's slow image keeps
#: others waiting (docs/hosting.md)
WANTED: Mapping[str, object] = {
    "live-restore": True,
    "userns-remap": "default",
    "max-concurrent-downloads": 64,
}


class SettingsUnreadable(Exception):
    """The host's daemon.json is not what Docker reads; it is left as it is."""


def missing(text: str) -> dict[str, object]:
    """Return what is wanted and not said in the text of a daemon.json; empty text: no file.

    :raises SettingsUnreadable: when it is no JSON object.
    """
    told = _read(text)
    return {name: value for name, value in WANTED.items() if name not in told}


def merged(text: str) -> str:
    """Return the text with what is missing added at its end; what is there stays as it is.

    :raises SettingsUnreadable: when it is no JSON object.
    """
    return json.dumps({**_read(text), **missing(text)}, indent=2) + "\n"


def _read(text: str) -> dict[str, object]:
    if not text.strip():
        return {}
    try:
        told = json.loads(text)
    except ValueError as error:
        raise SettingsUnreadable(f"Docker's daemon.json cannot be read: {error}.") from error
    if not isinstance(told, dict):
        raise SettingsUnreadable("Docker's daemon.json is no JSON object.")
    return told
