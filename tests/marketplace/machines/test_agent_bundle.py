"""What hosts' machines fetch is the agent of this very tree, the same bytes each time."""

import base64
import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement

from marketplace.machines.agent_bundle import (
    BYTES_MAX,
    FOLDERS,
    PINS,
    PINS_NAME,
    PROJECT,
    Bundle,
    BundleTooLarge,
    pack,
)
from miner_agent import VERSION
from tests.architecture.sources import TREE, text_of

OLD_S = 1_000_000_000
AGENT = {"extra": "agent"}


def unpacked(bundle: Bundle) -> dict[str, bytes]:
    """Return the archive's files."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(bundle.content), mode="r:gz") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            found[entry.name] = file.read()
    return found


def wheel_of(content: bytes) -> dict[str, str]:
    """Return the wheel's files, read as the text that each byte stands for."""
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        return {name: wheel.read(name).decode("latin-1") for name in wheel.namelist()}


def needed(metadata: str) -> set[Requirement]:
    """Return what the metadata says that the package needs."""
    told = (line.partition("Requires-Dist: ")[2] for line in metadata.splitlines())
    return {Requirement(one) for one in told if one}


@pytest.fixture(scope="module")
def made() -> Bundle:
    return pack(TREE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree's agent, as somebody else's copy of it has it."""
    for folder in FOLDERS:
        shutil.copytree(TREE / folder, tmp_path / folder, copy_function=shutil.copyfile)
    for name in (PROJECT, PINS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(TREE / name, tmp_path / name)
    return tmp_path


def test_another_copy_of_the_tree_gives_the_same_bytes(made: Bundle, copy: Path) -> None:
    for path in copy.rglob("*.py"):
        os.utime(path, (OLD_S, OLD_S))
        path.chmod(0o600)
    (copy / "prover" / "__pycache__").mkdir(exist_ok=True)
    (copy / "prover" / "__pycache__" / "planted.pyc").write_bytes(b"x")
    for name in (".planted.swp", "planted.py~", "planted.orig", "notes.txt", "planted"):
        (copy / "prover" / name).write_bytes(b"x")
    (copy / "prover" / "led.py").symlink_to(copy / PROJECT)
    assert pack(copy) == made
    (copy / "prover" / "planted.py").touch()
    assert pack(copy).sha256 != made.sha256


def test_it_holds_what_the_projects_own_build_packs_of_the_agent(
    made: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TREE)
    built = wheel_of((tmp_path / build_wheel(str(tmp_path))).read_bytes())
    files = unpacked(made)
    ours = wheel_of(files.pop(made.wheel))
    assert files == {PINS_NAME: (TREE / PINS).read_bytes()}
    theirs = {name: text for name, text in built.items() if name.split("/")[0] in FOLDERS}
    assert {name: text for name, text in ours.items() if name.split("/")[0] in FOLDERS} == theirs
    info = made.wheel.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert "berth-agent = miner_agent.cli:main" in ours[f"{info}/entry_points.txt"]
    # Less what the agent does without.
    told, own = (needed(files[f"{info}/METADATA"]) for files in (ours, built))
    assert told
    assert told <= own
    assert {one for one in own if one.marker is None or one.marker.evaluate(AGENT)} == told


def test_every_file_is_named_with_its_digest(made: Bundle) -> None:
    ours = wheel_of(unpacked(made)[made.wheel])
    record = next(name for name in ours if name.endswith("/RECORD"))
    named = {}
    for line in ours.pop(record).splitlines():
        path, told, size = line.split(",")
        named[path] = (told, size)
    assert named.pop(record) == ("", "")
    for path, text in ours.items():
        digest = hashlib.sha256(text.encode("latin-1")).digest()
        packed = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert named.pop(path) == (f"sha256={packed}", str(len(text)))
    assert named == {}


def test_the_wheel_is_named_as_the_agent_says_its_version(made: Bundle) -> None:
    assert made.wheel.split("-")[1] == VERSION


def test_a_folder_that_somebody_filled_is_noticed(made: Bundle, copy: Path) -> None:
    assert len(made.content) < BYTES_MAX // 4
    (copy / "prover" / "trace.json").write_bytes(os.urandom(BYTES_MAX))
    with pytest.raises(BundleTooLarge):
        pack(copy)


def test_the_sites_image_has_all_that_is_packed() -> None:
    copied = text_of("docker/marketplace.Dockerfile")
    assert f"COPY {PROJECT} " in copied
    assert f"COPY {PINS} requirements/" in copied
    assert [one for one in FOLDERS if f"COPY {one} {one}\n" not in copied] == []
