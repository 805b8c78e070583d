"""The README names exactly what set-up installs."""

import re

from scripts.setup import PINS
from scripts.system_packages import PACKAGES
from tests.architecture.sources import TREE

README = (TREE / "README.md").read_text()


def named_packages(text: str) -> set[str]:
    """Return the Debian packages of the list below "What it installs"."""
    section = text.split("### What it installs")[1].split("\n#")[0]
    (item,) = [part for part in section.split("\n* ") if part.startswith("Debian packages:")]
    return set(re.findall(r"`([a-z0-9.+-]+)`", item))


def test_every_debian_package_is_named_and_no_other() -> None:
    assert named_packages(README) == {package.name for package in PACKAGES}


def test_the_pinned_python_packages_are_named_by_their_file() -> None:
    assert f"`{PINS.relative_to(TREE)}`" in README


def test_a_planted_package_is_seen() -> None:
    planted = README.replace("* Debian packages:", "* Debian packages: `planted`,")

    assert "planted" in named_packages(planted)
