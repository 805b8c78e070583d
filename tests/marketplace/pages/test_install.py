"""The script that a host's line runs, and what it fetches: who gets it, and what it refuses."""

import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.machines.agent_bundle import BYTES_MAX, bundle
from tests.marketplace import scene

NAMED = re.compile(r"^  bundle=(\S+)$", re.MULTILINE)
#: what the script asks of a machine, and how one in order answers
IN_ORDER = {
    "apt-get": "exit 0",
    "dpkg-query": "exit 0",
    "id": "echo 0",
    "python3": "exit 0",
    "systemctl": "exit 0",
}
#: what it does its work with, which is as it is
PLAIN = ("cat", "chmod", "cp", "curl", "gzip", "mktemp", "rm", "sha256sum", "tar", "touch")


def script() -> str:
    reply = Client().get("/install")
    assert reply.status_code == 200
    return reply.content.decode()


def ran(
    folder: Path, text: str, *, missing: str = "", **programs: str
) -> subprocess.CompletedProcess[str]:
    """Run the text as the line does, on a machine where these programs are as said."""
    here = folder / "bin"
    here.mkdir()
    for name in {*PLAIN} - {*programs, missing}:
        (here / name).symlink_to(str(shutil.which(name)))
    for name, body in (IN_ORDER | programs).items():
        if name != missing:
            (here / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/asked\n{body}\n')
            (here / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "-c", text],
        env={"PATH": str(here), "TMPDIR": str(folder)},
        input="TOKEN\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(folder: Path) -> str:
    path = folder / "asked"
    return path.read_text() if path.exists() else ""


@pytest.fixture
def in_files(settings: Settings, tmp_path: Path) -> Path:
    """A site whose bundle curl finds in a file, so that it may be another one."""
    settings.PUBLIC_URL = f"file://{tmp_path}"
    path = tmp_path / "install" / f"agent-{bundle().sha256}.tar.gz"
    path.parent.mkdir()
    path.write_bytes(bundle().content)
    return path


def test_the_script_names_what_the_site_gives(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://berth.example"
    reply = Client().get("/install")
    text = reply.content.decode()
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert "Cookie" not in reply.headers.get("Vary", "")
    assert not reply.cookies
    assert "--public-only" not in text
    found = NAMED.search(text)
    assert found is not None
    fetched = Client().get(found[1].removeprefix("https://berth.example"))
    assert fetched.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in fetched.headers
    assert "Cookie" not in fetched.headers.get("Vary", "")
    assert f"  sha256={hashlib.sha256(fetched.content).hexdigest()}\n" in text
    settings.PRIVATE_MACHINES = False
    assert "--public-only" in script()


def test_only_what_is_there_is_given_and_nothing_is_taken() -> None:
    path = f"/install/agent-{bundle().sha256}.tar.gz"
    for one in ("/install", path):
        assert Client().head(one).status_code == 200
        assert Client().head(one).content == b""
        assert Client().post(one).status_code == 405
    gone = Client().get("/install/agent-0000.tar.gz")
    assert (gone.status_code, gone.content) == (404, b"This site has another release now.\n")


def test_one_address_fetches_a_bounded_number_of_times(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its window does not end meanwhile.
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    settings.ADDRESS_CALLS_A_MINUTE = 12
    codes = [Client().get("/install").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = Client().get(f"/install/agent-{bundle().sha256}.tar.gz")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    elsewhere = Client(REMOTE_ADDR="203.0.113.9").get("/install")
    assert elsewhere.status_code == 200


def test_a_sites_address_is_no_part_of_the_program(settings: Settings, tmp_path: Path) -> None:
    settings.PUBLIC_URL = f"https://berth.example/$(touch {tmp_path}/hit)';touch {tmp_path}/hit;'"
    text = script()
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    ran(tmp_path, text, curl="exit 22")
    assert not (tmp_path / "hit").exists()


def test_half_of_it_does_nothing(tmp_path: Path) -> None:
    text = script()
    last = text.rstrip().rindex("\n") + 1
    assert text[last:].strip() == '{ berth_install "$@"; }'
    ends = [*(at for at, one in enumerate(text[:last]) if one == "\n"), *range(last, len(text) - 2)]
    # No program is found there, so that whatever is called says so.
    nowhere = {"PATH": str(tmp_path)}
    for end in ends:
        done = subprocess.run(
            ["/bin/sh", "-c", text[:end]],
            env=nowhere,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "not found" not in done.stderr, text[:end][-80:]
        assert done.stdout == ""
    whole = ["/bin/sh", "-c", text]
    done = subprocess.run(whole, env=nowhere, capture_output=True, check=False)
    assert b"id: not found" in done.stderr


@pytest.mark.parametrize(
    ("programs", "sentence"),
    [
        ({"id": "echo 1000"}, "Be root: 'sudo -i', and then the same line."),
        (
            {"python3": "[ $1 = --version ] || exit 1\necho 3.9.2"},
            "as Debian 12 has: 3.9.2",
        ),
        ({"curl": "exit 28"}, "could not be fetched. If the site has just changed, try once more."),
    ],
)
def test_what_is_not_as_it_has_to_be_is_said_in_a_sentence(
    tmp_path: Path, programs: dict[str, str], sentence: str
) -> None:
    done = ran(tmp_path, script(), **programs)
    assert done.returncode == 1
    assert done.stderr.startswith("berth: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "miner_agent" not in asked(tmp_path)
    assert list(tmp_path.glob("tmp.*")) == []


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-query", "systemctl", "curl"])
def test_a_machine_of_another_kind_is_refused(tmp_path: Path, missing: str) -> None:
    done = ran(tmp_path, script(), missing=missing)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("berth: ")
    assert asked(tmp_path) == "id -u\n"


def test_the_token_reaches_the_installer_and_no_command_line(in_files: Path) -> None:
    folder = in_files.parents[1]
    body = f'[ $1 = -P ] || exit 0\necho "$PYTHONPATH" >> {folder}/asked\ncat > {folder}/read'
    done = ran(folder, script(), python3=body)
    assert done.returncode == 0, done.stderr
    assert (folder / "read").read_text() == "TOKEN\n"
    assert "TOKEN" not in asked(folder)
    words = f"--marketplace {shlex.quote(f'file://{folder}')}"
    assert f"python3 -P -m miner_agent.packaging.here --wheel {bundle().wheel}" in asked(folder)
    assert words in asked(folder)
    assert list(folder.glob("tmp.*")) == []


@pytest.mark.parametrize("content", [b"", b"another", bytes(BYTES_MAX + 1)])
def test_what_is_not_as_the_script_says_is_never_run(in_files: Path, content: bytes) -> None:
    in_files.write_bytes(content)
    folder = in_files.parents[1]
    done = ran(folder, script())
    assert done.returncode == 1
    assert re.search(r"berth: .*(by its SHA-256; nothing was changed|not be fetched)", done.stderr)
    assert "miner_agent" not in asked(folder)


def test_a_python_that_it_brought_goes_again_where_the_rest_fails(in_files: Path) -> None:
    folder = in_files.parents[1]
    (folder / "python3").write_text("#!/bin/sh\n[ $1 = -P ] || exit 0\nexit 1\n")
    brings = f"[ $1 != install ] || {{ cp {folder}/python3 {folder}/bin; "
    body = f"{brings} chmod +x {folder}/bin/python3; }}"
    done = ran(folder, script(), missing="python3", **{"apt-get": body})
    assert done.returncode == 1
    assert [line for line in asked(folder).splitlines() if line.startswith("apt-get")] == [
        "apt-get update -qq",
        "apt-get install -qq -y --no-install-recommends python3",
        "apt-get remove -qq -y python3",
    ]
