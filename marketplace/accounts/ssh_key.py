"""This will read the public key that a person pasted and say plainly what is wrong with it."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from marketplace.domain.problem import Refused
from marketplace.domain.text import seen

LINE_LENGTH_MAX = 2000
RSA_BITS_MIN = 2048
#: Source: OpenSSH, sshd(8) AUTHORIZED_KEYS FILE FORMAT and PROTOCOL.u2f, read 2026-11-20
PLAIN_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
#: a key that lives in a hardware token: type -> lengths of the fields between type and application
TOKEN_FIELD_LENGTHS = {
    "sk-ssh-ed25519@openssh.com": (32,),
    "sk-ecdsa-sha2-nistp256@openssh.com": (8, 65),
}
EXPECTED = "paste one line such as the content of ~/.ssh/id_ed25519.pub."


class SshKeyMalformed(Refused):
    code = "ssh_key_malformed"
    status = 422
    sentence = f"This is not an SSH public key; {EXPECTED}"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that OpenSSH will accept."""

    #: ``ssh-ed25519 AAAA...``, without comment
    line: str
    #: ``SHA256:...`` as ``ssh-keygen -l`` prints it
    fingerprint: str
    #: what of it can be seen: nobody typed it as a name, and it may become one
    comment: str


def parse(text: str) -> PublicKey:
    """Return the one key in the text.

    :raises SshKeyMalformed: with a sentence that says what is wrong.
    """
    line = text.strip()
    _refuse_wrong_shape(line)
    kind, encoded, comment = (*line.split(None, 2), "")[:3]
    blob = _decoded(kind, encoded)
    if kind in TOKEN_FIELD_LENGTHS:
        _check_token(blob, TOKEN_FIELD_LENGTHS[kind])
    else:
        _check_plain(f"{kind} {encoded}")
    line = f"{kind} {encoded}"
    return PublicKey(line=line, fingerprint=fingerprint_of(line), comment=seen(comment))


def fingerprint_of(line: str) -> str:
    """Return ``SHA256:...`` of a key that was parsed before."""
    blob = base64.b64decode(line.split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _refuse_wrong_shape(line: str) -> None:
    if "PRIVATE KEY" in line:
        raise SshKeyMalformed(
            "This is a private key: never give it to anyone; paste the .pub file beside it."
        )
    if len(line.splitlines()) > 1:
        raise SshKeyMalformed("This is more than one line; add one public key at a time.")
    if len(line) > LINE_LENGTH_MAX:
        raise SshKeyMalformed(f"A public key has at most {LINE_LENGTH_MAX} characters.")
    if "-cert-v01@openssh.com" in line:
        raise SshKeyMalformed("This is a certificate; paste the public key it was made from.")
    words = line.split()
    if words and words[0] == "ssh-dss":
        raise SshKeyMalformed("DSA keys are no longer safe; make one by ssh-keygen -t ed25519.")
    if len(words) < 2 or words[0] not in (*PLAIN_TYPES, *TOKEN_FIELD_LENGTHS):
        raise SshKeyMalformed


def _decoded(kind: str, encoded: str) -> bytes:
    """Return the key's bytes, which must begin with the same type as the line."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise SshKeyMalformed(
            f"This public key is damaged, perhaps cut short; {EXPECTED}"
        ) from None
    name = kind.encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise SshKeyMalformed(f"This public key is damaged: it is no {kind}; {EXPECTED}")
    return blob


def _check_plain(line: str) -> None:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise SshKeyMalformed(
            f"This public key is damaged, perhaps cut short; {EXPECTED}"
        ) from None
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS_MIN:
        raise SshKeyMalformed(
            f"This RSA key has {key.key_size} bits; at least {RSA_BITS_MIN} are needed."
        )


def _check_token(blob: bytes, lengths: tuple[int, ...]) -> None:
    """Check the shape only: the token itself proves the rest at log-in."""
    fields = _fields(blob)
    if len(fields) != len(lengths) + 2 or tuple(map(len, fields[1:-1])) != lengths:
        raise SshKeyMalformed(f"This public key is damaged, perhaps cut short; {EXPECTED}")


def _fields(blob: bytes) -> list[bytes]:
    fields = []
    while len(blob) >= 4:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return []
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return [] if blob else fields
