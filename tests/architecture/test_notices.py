"""Every kind of notice has a row in docs/notices.md, and its letters can be turned off."""

import re

import pytest

from marketplace.domain.notices import ALWAYS_WRITTEN, KINDS, LETTERS
from marketplace.notices.actions.notify import KindUnknown, notify
from marketplace.notices.actions.send_test import KIND as TEST
from tests.architecture.sources import TREE
from tests.marketplace.scene import NOW

KIND = re.compile("`([a-z_]+)`")


def documented() -> set[str]:
    """Return the kinds in the first cells of the table."""
    page = (TREE / "docs" / "notices.md").read_text()
    table = page.partition("## Kinds")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    return {kind for row in rows for kind in KIND.findall(row.split("|")[1])}


def test_every_kind_has_a_row_and_every_row_is_a_kind() -> None:
    assert documented() == KINDS | {TEST}


def test_of_each_kind_letters_can_be_turned_off_or_always_come() -> None:
    assert ALWAYS_WRITTEN & LETTERS.keys() == set()
    assert len(KINDS) > len(LETTERS) > 10


def test_nobody_is_told_of_a_kind_that_has_no_row() -> None:
    with pytest.raises(KindUnknown, match="planted"):
        notify(user_id=1, kind="planted", cause="1", title="-", now=NOW)
