"""A renter is told what to do about it, and nothing of what Docker said."""

import pytest

from miner_agent.domain.engine_words import meaning

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
