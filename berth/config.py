"""This will remember where the marketplace is and who we are: a file that only its owner reads."""

import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from berth.problem import Refused

URL_DEFAULT = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Config:
    """The address and key in use, and the file they came from or would be saved in."""

    path: Path
    url: str = URL_DEFAULT
    #: empty: not logged in
    key: str = ""

    @property
    def folder(self) -> Path:
        """Return where known_hosts files and the like are kept."""
        return self.path.parent

    @property
    def key_travels_in_clear(self) -> bool:
        """Say whether the key would cross a network unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme != "https" and parts.hostname not in LOOPBACK


def config_path(environment: Mapping[str, str]) -> Path:
    """Return BERTH_CONFIG, or config.toml in the user's configuration folder."""
    if environment.get("BERTH_CONFIG"):
        return Path(environment["BERTH_CONFIG"]).expanduser()
    root = environment.get("XDG_CONFIG_HOME")
    folder = Path(root) if root else Path(environment.get("HOME", "~")).expanduser() / ".config"
    return folder / "berth" / "config.toml"


def load(environment: Mapping[str, str]) -> Config:
    """Return the configuration; BERTH_URL and BERTH_API_KEY win over the file.

    A saved key is sent only to the address it was saved with: with BERTH_URL alone, none is.

    :raises Refused: ``config_malformed`` when the file cannot be read or the address is no URL.
    """
    path = config_path(environment)
    saved = _saved(path)
    saved_url = saved.get("url", URL_DEFAULT)
    url = checked_url(environment.get("BERTH_URL") or saved_url)
    key = saved.get("key", "") if url == saved_url.rstrip("/") else ""
    return Config(path=path, url=url, key=environment.get("BERTH_API_KEY") or key)


def save(config: Config) -> None:
    """Write the file whole or not at all, readable by its owner only (0600, folder 0700)."""
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A JSON string is a TOML basic string, except that TOML wants DEL escaped; neither value
    # may hold it (checked_url, and keys are printable).
    text = f"url = {json.dumps(config.url)}\nkey = {json.dumps(config.key)}\n"
    descriptor, name = tempfile.mkstemp(dir=config.folder, prefix=".config-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(config.path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def checked_url(url: str) -> str:
    """Return the address without its last slash.

    :raises Refused: ``config_malformed`` when it is not http(s)://host.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise Refused("config_malformed", f"{url!r} is not an address like https://berth.example.")
    return url.rstrip("/")


def readable_by_others(path: Path) -> bool:
    """Say whether anyone but the owner may read the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _saved(path: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused("config_malformed", f"Cannot read {path}: {error}") from error
    return {name: value for name, value in content.items() if isinstance(value, str)}
