"""This will say which headers pass a gateway, either way.

All endpoints are behind one address, so what would speak for the whole of it does not pass; and
what is between two neighbours on the way stays between them (RFC 9110, section 7.6.1).
"""

from collections.abc import Iterable, Sequence

Header = tuple[bytes, bytes]
HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate"),
        *(b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
#: the key is the gateway's, where a caller is is nobody's, and a cookie may be another endpoint's
NOT_ASKED = HOP_BY_HOP | {
    *(b"authorization", b"cookie", b"expect", b"forwarded", b"via", b"x-real-ip"),
    *(b"http2-settings", b"host", b"content-length"),
}
#: what a browser would remember for the whole address; date and server are the gateway's own
NOT_ANSWERED = HOP_BY_HOP | {
    *(b"set-cookie", b"set-cookie2", b"strict-transport-security", b"alt-svc", b"nel"),
    *(b"clear-site-data", b"report-to", b"public-key-pins", b"service-worker-allowed"),
    *(b"date", b"server"),
}
#: orders to the proxy in front, which may be to send one of its own files instead
ORDERS = (b"x-accel-", b"x-sendfile", b"x-lighttpd-", b"x-litespeed-", b"x-reproxy-")


def asked(headers: Sequence[Header], *, has_body: bool) -> list[Header]:
    """Return what a replica hears; the body's length is told anew, so that one meaning is left."""
    passed = [
        (name, value)
        for name, value in _passing(headers, NOT_ASKED)
        # Some programs read X_Forwarded_For as X-Forwarded-For.
        if not name.startswith(b"x-forwarded") and b"_" not in name
    ]
    host = _only(headers, b"host") or b"replica"
    length = _only(headers, b"content-length")
    framing: list[Header] = []
    if has_body:
        framing = [(b"transfer-encoding", b"chunked")]
        if length is not None:
            framing = [(b"content-length", length)]
    return [(b"host", host), *passed, *framing, (b"connection", b"close")]


def answered(headers: Iterable[Header]) -> list[Header]:
    """Return what a caller hears. Where a body is chunked its length is not what is told beside."""
    told = list(headers)
    chunked = _only(told, b"transfer-encoding") is not None
    dropped = NOT_ANSWERED | {b"content-length"} if chunked else NOT_ANSWERED
    passed = [one for one in _passing(told, dropped) if not one[0].startswith(ORDERS)]
    return [*passed, (b"x-content-type-options", b"nosniff")]


def has_body(headers: Sequence[Header]) -> bool:
    """Say whether the request has a body."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _passing(headers: Sequence[Header], dropped: frozenset[bytes]) -> list[Header]:
    named = {
        word.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for word in value.split(b",")
    }
    return [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in dropped and name.lower() not in named
    ]


def _only(headers: Sequence[Header], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name.lower() == wanted), None)
