"""The rules about images."""

import pytest

from miner_agent.domain.image import BareImage, is_allowed, is_inside, registry_host, repository

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("reference", "name", "host"),
    [
        ("busybox", "busybox", "registry-1.docker.io"),
        ("busybox:1", "busybox", "registry-1.docker.io"),
        ("library/busybox:1", "library/busybox", "registry-1.docker.io"),
        ("ghcr.io/a/b:c", "ghcr.io/a/b", "ghcr.io"),
        ("localhost/a", "localhost/a", "localhost"),
        ("box:5000/a", "box:5000/a", "box"),
        (f"box:5000/a:1@{DIGEST}", "box:5000/a", "box"),
        (f"a@{DIGEST}", "a", "registry-1.docker.io"),
    ],
)
def test_a_reference_names_a_repository_at_a_registry(reference: str, name: str, host: str) -> None:
    assert repository(reference) == name
    assert registry_host(reference) == host


@pytest.mark.parametrize(
    ("addresses", "inside"),
    [
        ([], False),
        (["93.184.215.14"], False),
        (["2606:2800:21f::1"], False),
        (["127.0.0.1"], True),
        (["169.254.169.254"], True),
        (["::1"], True),
        (["::ffff:10.0.0.1"], True),
        (["93.184.215.14", "10.0.0.1"], True),
    ],
)
def test_an_address_of_the_hosts_own_network_is_inside(addresses: list[str], inside: bool) -> None:
    assert is_inside(addresses) is inside


def test_only_what_a_pattern_covers_is_allowed() -> None:
    assert is_allowed("berth/base:1", patterns=("other", "berth/*"))
    assert not is_allowed("berth/base:1", patterns=("berth/base", "BERTH/*"))
    assert not is_allowed("berth/base:1", patterns=())


def test_a_bare_image_has_nothing_but_files_and_environment() -> None:
    bare = BareImage(architecture="amd64", os="linux", layers=("sha256:1",), environment=("A=1",))
    assert b"Volumes" not in bare.content()
    assert bare.image_id() == bare.model_copy().image_id()
    assert bare.image_id() != bare.model_copy(update={"environment": ()}).image_id()
