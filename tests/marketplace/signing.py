"""This will sign what a validator sends, whatever it says."""

import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from pydantic import ValidationError

from marketplace.verification.authenticate import signed_bytes
from protocol import hotkey as hotkeys
from protocol.message import Message, canonical_bytes
from protocol.rental_proof import RentalProofReport
from protocol.validator import ScoreReport, Verdict
from tests.marketplace import scene

JUDGE = scene.Judge().keypair
#: as a signature: to be put here on the way
TO_COME = "to come"
#: what a validator sends instead of a key
HEADERS = {"X-Bittensor-Hotkey": JUDGE.ss58_address, "X-Bittensor-Signature": TO_COME}
#: what a validator signs within a body
KINDS: Sequence[type[Message]] = (Verdict, RentalProofReport, ScoreReport)
Site = Callable[[dict[str, Any], Any], Iterable[bytes]]


def signed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return this part of a body with a signature that is right, where a validator's goes."""
    for kind in KINDS:
        for part in told.values():
            try:
                content = canonical_bytes(kind.model_validate(part))
            except ValidationError:
                continue
            return {**told, "signature": hotkeys.sign(JUDGE, content)}
    return dict(told)


def signing(site: Site) -> Site:
    """Return the site, before which requests that say so are signed."""

    def _signing(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ.get("HTTP_X_BITTENSOR_SIGNATURE") == TO_COME:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            # A request changes what it is made of.
            request, nonce = WSGIRequest(dict(environ)), str(time.time_ns())
            content = signed_bytes(
                method=str(request.method),
                path=request.get_full_path(),
                body=body,
                nonce=nonce,
                sender=JUDGE.ss58_address,
            )
            environ |= {
                "HTTP_X_BITTENSOR_VERSION": "1",
                "HTTP_X_BITTENSOR_NONCE": nonce,
                "HTTP_X_BITTENSOR_SIGNATURE": hotkeys.sign(JUDGE, content),
            }
        return site(environ, start)

    return _signing
