"""This will read settings from the environment, each with its type."""

import os
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
POOL_WAIT_S = 10
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def text(name: str, *, default: str = "") -> str:
    """Return the variable without surrounding blanks; ``default`` when unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Return the variable as a yes or no.

    :raises ImproperlyConfigured: when it is neither.
    """
    word = text(name).lower()
    if not word:
        return default
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {word!r}.")


def integer(name: str, *, default: int) -> int:
    """Return the variable as a whole number.

    :raises ImproperlyConfigured: when it is none.
    """
    word = text(name)
    if not word:
        return default
    try:
        return int(word)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {word!r}.") from error


def words(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """Return the comma-separated words of the variable, blanks dropped."""
    found = [word.strip() for word in text(name).split(",")]
    return [word for word in found if word] or list(default)


def postgresql(url: str, *, connections_max: int) -> dict[str, object]:
    """Return Django's database settings for ``postgres://user:password@host:port/name?option=value``.

    A server on a Unix socket is written ``postgres://user@/name?host=/folder&port=5433``. Threads
    borrow ``connections_max`` connections at most, as each request has a thread of its own, which
    could keep none from one to the next; who waits in vain for POOL_WAIT_S gets an error.

    :raises ImproperlyConfigured: when the address is of another kind or names no database.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("BERTH_DATABASE_URL must start with postgres://.")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("BERTH_DATABASE_URL must name a database after the last slash.")
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or unquote(parts.hostname or "")
    port = options.pop("port", "") or str(parts.port or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port,
        # Never "server_side_binding", though a sync would cost a tenth less: Django then sends
        # Value(2147483648) as an int4, which PostgreSQL takes for -2147483648 without a word.
        "OPTIONS": options
        | {"pool": {"min_size": 1, "max_size": connections_max, "timeout": POOL_WAIT_S}},
        # One that the server closed meanwhile, such as by a restart, is not lent.
        "CONN_HEALTH_CHECKS": True,
    }


@dataclass(frozen=True, slots=True)
class Mail:
    """A server that takes mail from us, over TLS."""

    host: str
    port: int
    user: str
    password: str
    #: TLS from the first byte; else by STARTTLS
    tls_first: bool
    #: empty: the settings' own default
    sender: str


def mail(url: str) -> Mail:
    """Return the mail server of ``smtps://user:password@host:465?from=name@example.org``.

    ``smtp://`` begins in the clear and must go on by STARTTLS, on port 587 where none is named.

    :raises ImproperlyConfigured: when the address is of another kind or names no host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ImproperlyConfigured("BERTH_EMAIL_URL must be smtp://host or smtps://host.")
    tls_first = parts.scheme == "smtps"
    return Mail(
        host=parts.hostname,
        port=parts.port or (465 if tls_first else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls_first=tls_first,
        sender=dict(parse_qsl(parts.query)).get("from", ""),
    )
