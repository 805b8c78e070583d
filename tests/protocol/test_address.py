import pytest

from protocol.address import is_private, is_public


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a01:4f8::1", "::ffff:8.8.8.8"],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.17.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_an_address_inside_a_network_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
    ids=[
        "mapped",
        "translated",
        "compatible",
        "NAT64",
        "NAT64 of the metadata service",
        "local NAT64",
        "6to4 of loopback",
        "6to4 of 10.0.0.1",
        "Teredo",
    ],
)
def test_no_other_spelling_leads_inside(address: str) -> None:
    assert not is_public(address)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="localhost"):
        is_public("localhost")


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("9.9.9.9", False),
        ("gpu.example.org", False),
        ("gpu.example.org.", False),
        ("192.168.1.7", True),
        ("fe80::1", True),
        ("localhost", True),
        ("gpu-box.", True),
    ],
)
def test_a_machines_address_is_private_where_no_internet_name_is_like_it(
    address: str, private: bool
) -> None:
    assert is_private(address) is private
