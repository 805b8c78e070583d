"""A renter is told what to do about it, and nothing of what Docker said."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from miner_agent.belongings import refusals as belongings_refusals
from miner_agent.command import CommandFailed
from miner_agent.disk import DiskFailed
from miner_agent.docker_runtime import refusals
from miner_agent.domain.engine_words import meaning
from miner_agent.engine import EngineRefused
from miner_agent.runtime import CannotRun

RUNC = "OCI runtime create failed: container_linux.go:380: starting container process caused: "


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (f'{RUNC}exec: "nope": executable file not found in $PATH: unknown', "command_unknown"),
        (f'{RUNC}exec: "/no": stat /no: no such file or directory: unknown', "command_unknown"),
        (f'{RUNC}exec: "/etc/passwd": permission denied: unknown', "command_unknown"),
        (f"{RUNC}exec user process caused: exec format error", "image_platform"),
        ("write /srv/docker/overlay2/x: no space left on device", "no_capacity"),
        (f"{RUNC}fork/exec /proc/self/exe: cannot allocate memory", "no_capacity"),
        (f"{RUNC}rootfs_linux.go:76: mounting /srv/berth/kit caused: no such file", "start_failed"),
        ("", "start_failed"),
    ],
)
def test_dockers_words_have_a_meaning_and_are_not_told(words: str, code: str) -> None:
    found, sentence = meaning(words)
    assert found == code
    assert sentence.endswith(".")
    assert not any(word in sentence for word in ("OCI", "/", "overlay2", "exec"))


@pytest.mark.parametrize(
    ("error", "translated"),
    [
        (EngineRefused("mounting /srv/berth/kit: denied"), refusals),
        (DiskFailed("mkfs.ext4: /srv/berth/disks: failed"), refusals),
        (PermissionError("/srv/berth/doors"), refusals),
        (CommandFailed("mount: /srv/berth/volumes: failed"), belongings_refusals),
    ],
)
def test_nothing_of_the_hosts_own_paths_is_told(
    error: Exception, translated: Callable[[], AbstractContextManager[None]]
) -> None:
    with pytest.raises(CannotRun) as refused, translated():
        raise error
    assert "/srv" not in str(refused.value)
    assert refused.value.code in ("start_failed", "no_capacity")
