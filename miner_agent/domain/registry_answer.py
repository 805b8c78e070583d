"""This will say in our own words what a registry answered: what it sent may be somebody's secret.

Docker follows a registry's redirects and log-in addresses wherever they lead, also into the host's
own network, and quotes the body it finds there. So nothing but a status number is ever passed on.
"""

import re
from dataclasses import dataclass

#: how Docker names the status of an answer that it could not use
STATUS = re.compile(r"(?:error parsing http|unexpected http status:?|status code:?) (\d{3})\b")
#: statuses that mean: not for everybody, or not there
UNKNOWN_BY_STATUS = {401: "unauthorized (HTTP 401)", 404: "not found (HTTP 404)"}
#: (what Docker says, what the renter is told, whether the image is unknown); the first one counts
SENTENCES = (
    (r"no matching manifest", "not made for this machine's kind of processor", False),
    (r"unauthorized|no basic auth", "unauthorized", True),
    (r"manifest unknown|no manifest|manifest for .* not found", "manifest unknown", True),
    (r"name unknown|does not exist|not found", "not found", True),
    (r"invalid reference", "no image can have that name", True),
    (r"toomanyrequests|too many requests", "too many requests", False),
    (r"denied", "denied", False),
    (r"no such host|server misbehaving", "no such host", False),
    (r"connection refused", "connection refused", False),
    (r"no route to host|network is unreachable", "unreachable", False),
    (r"timed? ?out|deadline exceeded", "nothing in time", False),
    (r"x509|certificate|tls:|http response to https", "without a valid certificate", False),
    (r"connection reset|eof", "by hanging up", False),
    (r"no space left", "with more than this machine has room for", False),
)
OTHER = "with something that Docker cannot use"


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """``unknown``: the image is not there for everybody, rather than out of reach just now."""

    sentence: str
    unknown: bool


def registry_answer(said: str) -> RegistryAnswer:
    """Return what Docker's sentence means, without a word of what the registry sent."""
    said = " ".join(said.lower().split())
    status = STATUS.search(said)
    if status is not None:
        number = int(status[1])
        sentence = UNKNOWN_BY_STATUS.get(number)
        return RegistryAnswer(sentence or f"HTTP {number}", unknown=sentence is not None)
    for pattern, sentence, unknown in SENTENCES:
        if re.search(pattern, said):
            return RegistryAnswer(sentence, unknown=unknown)
    return RegistryAnswer(OTHER, unknown=False)
