"""This will accept a request only from the admitted validator that signed it (btauth/1).

Source: the wire format of bittensor 11's ``bittensor.http_auth``, read 2026-11-20.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from marketplace.domain.problem import Refused
from marketplace.verification.models import UsedNonce, Validator
from protocol import hotkey as hotkeys

PREFIX = "x-bittensor-"
AGE_NS_MAX = 10 * 10**9
AHEAD_NS_MAX = 2 * 10**9
#: longer than a request can stay acceptable
NONCE_KEPT = timedelta(seconds=60)


class RequestUnsigned(Refused):
    code = "unauthenticated"
    status = 401
    sentence = "The request is not signed by a hotkey."


class RequestStale(Refused):
    code = "clock_skew"
    status = 401
    sentence = "The signed time is more than 10 seconds old or ahead of ours; set the clock."


class RequestReplayed(Refused):
    code = "replayed"
    status = 401
    sentence = "This signed request was served before."


class ValidatorNotAdmitted(Refused):
    code = "forbidden"
    status = 403
    sentence = "This hotkey is not admitted as a validator here; ask the operator."


def authenticate(
    *, headers: Mapping[str, str], method: str, path: str, body: bytes, now: datetime
) -> str:
    """Return the hotkey (ss58) of the admitted validator that signed the request.

    :raises RequestUnsigned: when a header is missing or malformed or the signature is wrong.
    :raises RequestStale: when it was signed too long ago or in the future.
    :raises RequestReplayed: when the same signed request came before.
    :raises ValidatorNotAdmitted: when the hotkey's word does not count here.
    """
    told = {name.lower(): value for name, value in headers.items()}
    sender = told.get(f"{PREFIX}hotkey", "")
    nonce = told.get(f"{PREFIX}nonce", "")
    if (
        told.get(f"{PREFIX}version") != "1"
        or told.get(f"{PREFIX}crypto", "") not in ("", "sr25519")
        or told.get(f"{PREFIX}receiver", "-") != "-"
    ):
        raise RequestUnsigned
    if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= 19):
        raise RequestUnsigned
    content = signed_bytes(method=method, path=path, body=body, nonce=nonce, sender=sender)
    signature = told.get(f"{PREFIX}signature", "").removeprefix("0x")
    if not hotkeys.verify(sender, content, signature):
        raise RequestUnsigned
    age_ns = int(now.timestamp() * 10**6) * 1000 - int(nonce)
    if not -AHEAD_NS_MAX <= age_ns <= AGE_NS_MAX:
        raise RequestStale
    if not Validator.objects.filter(hotkey=sender, admitted=True).exists():
        raise ValidatorNotAdmitted
    _use_nonce(sender, int(nonce), now)
    return sender


def signed_bytes(*, method: str, path: str, body: bytes, nonce: str, sender: str) -> bytes:
    """Return what btauth/1 signs for a request to no receiver in particular."""
    digest = hashlib.sha256(body).hexdigest()
    lines = ("btauth/1", "sr25519", method.upper(), path, digest, nonce, sender, "-")
    return "\n".join(lines).encode()


def forget_nonces(*, now: datetime) -> int:
    """Return how many used nonces were dropped because they are too old to be accepted again."""
    dropped, _ = UsedNonce.objects.filter(used_at__lt=now - NONCE_KEPT).delete()
    return dropped


def _use_nonce(hotkey: str, nonce: int, now: datetime) -> None:
    try:
        with transaction.atomic():
            UsedNonce.objects.create(hotkey=hotkey, nonce=nonce, used_at=now)
    except IntegrityError:
        raise RequestReplayed from None
