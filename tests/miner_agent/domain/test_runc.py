"""Which holes a release of runc has."""

import pytest

from miner_agent.domain.runc import CLOSED, open_holes

NEWER = tuple(hole for hole in CLOSED if hole.startswith("CVE-2025"))


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        ("1.0.3", tuple(CLOSED)),
        ("1.1.5+ds1", tuple(CLOSED)),
        ("1.1.11", tuple(CLOSED)),
        ("1.1.12", NEWER),
        ("1.2.7", NEWER),
        ("1.2.8", ()),
        ("1.3.0-rc.1", NEWER),
        ("1.3.2", NEWER),
        ("v1.3.3", ()),
        ("1.4.0-rc.2", NEWER),
        ("1.4.0~rc3", ()),
        ("1.4.0", ()),
        ("2.0.0", ()),
        ("", ()),
        ("crun 1.8", ()),
    ],
)
def test_a_release_has_the_holes_that_its_line_closed_later(
    version: str, holes: tuple[str, ...]
) -> None:
    assert open_holes(version) == holes
