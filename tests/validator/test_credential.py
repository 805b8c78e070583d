"""What a validator logs in with is new each time, for one machine and for minutes."""

import asyncssh
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.validator.machine_door import private_key_text
from validator.ssh import credential

NOW_S = 1_800_000_000
MACHINE_KEY = "ab" * 32
SIGNING = private_key_text(Ed25519PrivateKey.generate())


def test_a_certificate_names_one_machine_some_minutes_and_no_right() -> None:
    made = credential.make(SIGNING, machine_key=MACHINE_KEY, now_s=NOW_S)
    certificate = asyncssh.import_certificate(made.certificate)
    assert certificate.principals == [MACHINE_KEY]
    assert certificate.signing_key == asyncssh.import_private_key(SIGNING).convert_to_public()
    assert certificate.key == asyncssh.import_private_key(made.private_key).convert_to_public()
    lasts = (certificate._valid_after, certificate._valid_before)
    assert lasts == (NOW_S - credential.VALID_S, NOW_S + credential.VALID_S)
    assert not certificate.options


def test_each_log_in_has_a_key_of_its_own_which_is_not_the_registered_one() -> None:
    first, second = (
        credential.make(SIGNING, machine_key=MACHINE_KEY, now_s=NOW_S).private_key for _ in range(2)
    )
    public = {asyncssh.import_private_key(one).public_data for one in (first, second, SIGNING)}
    assert len(public) == 3


def test_another_kind_of_key_does_not_sign() -> None:
    other = generate_private_key(SECP256R1())
    text = other.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    with pytest.raises(ValueError, match="ed25519"):
        credential.make(text, machine_key=MACHINE_KEY, now_s=NOW_S)
