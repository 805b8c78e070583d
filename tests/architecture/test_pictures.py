"""A document shows no picture that is missing, and every picture is shown by one."""

import re

from tests.architecture.sources import TREE, text_of, tracked

PICTURE = re.compile(r"!\[[^\]]*\]\(([^)#\s]+)\)")


def pictures(document: str, text: str) -> set[str]:
    """Return the path in the tree of every picture that the document shows."""
    folder = (TREE / document).parent
    return {str((folder / path).resolve().relative_to(TREE)) for path in PICTURE.findall(text)}


def test_every_picture_of_a_document_is_there_and_every_picture_is_shown() -> None:
    documents = [path for path in tracked() if path.endswith(".md")]
    shown = set().union(*(pictures(each, text_of(each)) for each in documents))

    assert shown == {path for path in tracked() if path.startswith("docs/images/")}


def test_a_planted_picture_is_seen() -> None:
    assert pictures("docs/money.md", "![Gone](images/gone.png)") == {"docs/images/gone.png"}
