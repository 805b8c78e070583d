"""This will make and read the nonces that date a machine's word by the marketplace's clock."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def issue(*, secret: bytes, machine_id: str, now: datetime) -> str:
    """Return a nonce that carries ``now`` and that nobody else can make."""
    stamp = str((now - _EPOCH) // timedelta(milliseconds=1))
    return f"{stamp}.{_mac(secret, machine_id, stamp)}"


def issued_at(nonce: str, *, secret: bytes, machine_id: str) -> datetime | None:
    """Return when this nonce was issued to this machine; None: it never was."""
    stamp, _, mac = nonce.partition(".")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        return None
    if not hmac.compare_digest(mac.encode(), _mac(secret, machine_id, stamp).encode()):
        return None
    return _EPOCH + timedelta(milliseconds=int(stamp))


def _mac(secret: bytes, machine_id: str, stamp: str) -> str:
    content = f"berth-nonce/1 {machine_id} {stamp}".encode()
    return hmac.new(secret, content, hashlib.sha256).hexdigest()[:32]
