"""This will know each web hook's secret without keeping it: who reads the database cannot sign."""

import base64
import hashlib
import hmac
from uuid import UUID

from django.conf import settings

MARK = "whs_"
#: another use of the same secret key has another purpose, so their secrets tell nothing of others
PURPOSE = b"berth web hook 1"


def of_hook(hook_id: UUID) -> str:
    """Return the secret by which the hook's receiver knows us: ``whs_`` and 256 bits."""
    made = hmac.new(settings.SECRET_KEY.encode(), PURPOSE + hook_id.bytes, hashlib.sha256).digest()
    return MARK + base64.urlsafe_b64encode(made).decode().rstrip("=")
