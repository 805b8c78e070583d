"""Where a mount would end up in files that somebody else has made."""

from pathlib import Path

import pytest

from miner_agent.mount_points import link_on_the_way


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system with folders, a file, and links: to a folder, to itself, to nowhere."""
    (tmp_path / "plain" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    for name, target in (("link", "/plain"), ("plain/up", "/"), ("lost", "/nowhere")):
        (tmp_path / name).symlink_to(target)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("/plain", None),
        ("/plain/inner/new/folder", None),
        ("/file", None),
        ("/new", None),
        ("/link", "/link"),
        ("/link/inner", "/link"),
        ("/link/new", "/link"),
        ("/plain/up", "/plain/up"),
        ("/plain/up/plain", "/plain/up"),
        ("/lost", "/lost"),
    ],
)
def test_no_part_of_the_way_is_a_link(root: Path, target: str, link: str | None) -> None:
    assert link_on_the_way(root, ["/plain", target]) == link


def test_below_dev_everything_is_dockers_own(root: Path) -> None:
    (root / "dev").mkdir()
    (root / "dev" / "shm").symlink_to("/run/shm")
    assert link_on_the_way(root, ["/dev/shm"]) is None
