"""Who root inside is, from what Docker says about itself."""

import pytest

from miner_agent import remap
from miner_agent.domain.root_inside import UNMAPPED, Ids, root_inside

PLAIN = ("name=seccomp,profile=default",)
MAPPING = (*PLAIN, "name=userns")


@pytest.mark.parametrize(
    ("options", "root", "ids"),
    [
        (PLAIN, "/var/lib/docker", UNMAPPED),
        (MAPPING, "/var/lib/docker/231072.231072", Ids(231072, 231072)),
        (MAPPING, "/var/lib/docker/100000.200000/", Ids(100000, 200000)),
        (PLAIN, "/srv/100000.100000", UNMAPPED),
        (MAPPING, "/var/lib/docker", UNMAPPED),
        ((), "", UNMAPPED),
    ],
)
def test_the_folder_of_a_mapped_engine_names_them(
    options: tuple[str, ...], root: str, ids: Ids
) -> None:
    assert root_inside(security_options=options, docker_root=root) == ids


def test_a_plain_engine_is_told_how_to_map() -> None:
    (said,) = remap.missing(UNMAPPED)
    assert '"userns-remap": "default"' in said
    assert remap.missing(Ids(1, 1)) == ()
