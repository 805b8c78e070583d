"""The range of users that an own engine lends and gives back."""

from pathlib import Path

import pytest

from scripts import subordinate_ids
from scripts.subordinate_ids import LINE

SOMEBODY = "somebody:100000:65536"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "subuid", tmp_path / "subgid"
    first.write_text(f"{SOMEBODY}\n")
    second.write_text("")
    return first, second


def test_a_range_is_added_once_and_taken_away(files: tuple[Path, Path]) -> None:
    before = subordinate_ids.had(files)
    assert before == []
    subordinate_ids.add(files)
    subordinate_ids.add(files)
    assert [file.read_text() for file in files] == [f"{SOMEBODY}\n{LINE}\n", f"{LINE}\n"]
    subordinate_ids.remove_added(before, files)
    assert [file.read_text() for file in files] == [f"{SOMEBODY}\n", ""]


def test_a_range_that_was_there_is_used_and_stays(files: tuple[Path, Path]) -> None:
    own = "nobody:300000:65536\n"
    for file in files:
        file.write_text(own)
    before = subordinate_ids.had(files)
    subordinate_ids.add(files)
    subordinate_ids.remove_added(before, files)
    assert [file.read_text() for file in files] == [own, own]


def test_a_range_of_somebody_else_is_not_shared(files: tuple[Path, Path]) -> None:
    files[0].write_text(f"somebody:{subordinate_ids.FIRST + 65_535}:65536\n")
    assert "somebody else" in str(subordinate_ids.refusal(Path("/"), files))


def test_a_folder_that_others_cannot_pass_is_named(tmp_path: Path, files) -> None:
    open_to_all = Path("/var/tmp")
    assert subordinate_ids.refusal(open_to_all, files) is None
    tmp_path.chmod(0o700)
    assert "chmod o+x" in str(subordinate_ids.refusal(tmp_path / "data", files))
