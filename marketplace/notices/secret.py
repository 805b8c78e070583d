"""This will know each web hook's secret without keeping it: who reads the database cannot sign."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings

from marketplace.domain.notices import FORMER_SECRET_FOR
from marketplace.notices.models import WebHook

MARK = "whs_"
#: another use of the same secret key has another purpose, so their secrets tell nothing of others
PURPOSE = b"berth web hook 1"


def of_hook(hook_id: UUID, turn: int) -> str:
    """Return the secret by which the hook's receiver knows us: ``whs_`` and 256 bits.

    ``turn``: how many secrets the hook had before this one.
    """
    about = PURPOSE + hook_id.bytes + (turn.to_bytes(4) if turn else b"")
    made = hmac.new(settings.SECRET_KEY.encode(), about, hashlib.sha256).digest()
    return MARK + base64.urlsafe_b64encode(made).decode().rstrip("=")


def valid(hook: WebHook, now: datetime) -> Sequence[str]:
    """Return the secrets that sign what is sent to the hook now, the newest first."""
    turns = [hook.secret_turn]
    if hook.rotated_at is not None and now - hook.rotated_at < FORMER_SECRET_FOR:
        turns.append(hook.secret_turn - 1)
    return [of_hook(hook.pk, turn) for turn in turns]
