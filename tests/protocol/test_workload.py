"""Workloads that no machine can run as meant are no workloads."""

import re
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from protocol.hardware import Resources
from protocol.workload import JobFile, PlacementKind, RelativePath, VolumeMount, Workload

RESOURCES = Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=1 << 30)
ONE, TWO = UUID(int=1), UUID(int=2)
DIGEST = "0" * 64


def workload(**fields: Any) -> Workload:
    return Workload(image="debian", resources=RESOURCES, **fields)


def mounts(*paths: str) -> tuple[VolumeMount, ...]:
    return tuple(
        VolumeMount(volume_id=UUID(int=number), path=path) for number, path in enumerate(paths)
    )


@pytest.mark.parametrize(
    "path",
    [
        "data",
        "/",
        "//data",
        "/data/",
        "/data/../etc",
        "/./data",
        "/etc",
        "/etc/ssh",
        "/proc/1",
        "/dev",
        "/sys/fs",
        "/.access",
        "/.access-keys/x",
        "/berth-mps",
        "/usr/lib",
        "/da:ta",
        "/da,ta",
        "/a\nb",
    ],
)
def test_a_volume_cannot_be_where_it_would_cover_the_system_or_climb_out(path: str) -> None:
    with pytest.raises(ValidationError):
        VolumeMount(volume_id=ONE, path=path)


@pytest.mark.parametrize("path", ["/data", "/root", "/root/models", "/workspace", "/etcetera"])
def test_a_volume_can_be_in_a_folder(path: str) -> None:
    assert VolumeMount(volume_id=ONE, path=path).path == path


@pytest.mark.parametrize("path", ["/a", "../a", "a/../../b", "./a", "a//b", "a/", "..", ".", ""])
def test_a_file_of_a_job_stays_below_its_folder(path: str) -> None:
    with pytest.raises(ValidationError):
        JobFile(path=path, digest=DIGEST, size_bytes=1)


def test_the_described_pattern_of_a_path_is_the_whole_rule() -> None:
    paths = TypeAdapter(RelativePath)
    described = re.compile(paths.json_schema()["pattern"])
    for length in range(1, 7):
        for path in map("".join, product("a./", repeat=length)):
            try:
                kept = paths.validate_python(path) == path
            except ValidationError:
                kept = False
            assert kept == bool(described.search(path)), path


@pytest.mark.parametrize(
    "fields",
    [
        {"ports": tuple(range(1000, 11_000))},
        {"ports": (80, 80)},
        {"ports": (22,)},
        {"ports": (80,), "kind": PlacementKind.JOB},
        {"http_port": 80},
        {"kind": PlacementKind.REPLICA},
        {"kind": PlacementKind.JOB, "volumes": mounts("/data")},
        {"volumes": mounts("/data", "/data/inner")},
        {"volumes": mounts("/data", "/data")},
        {"outputs_bytes_max": 1},
        {"inputs": (JobFile(path="a", digest=DIGEST, size_bytes=1),)},
        {
            "kind": PlacementKind.JOB,
            "inputs": (
                JobFile(path="a", digest=DIGEST, size_bytes=1),
                JobFile(path="a/b", digest=DIGEST, size_bytes=1),
            ),
        },
        {"environment": {f"N{number}": "x" * 32_000 for number in range(40)}},
        {"environment": {f"N{number}": "" for number in range(1000)}},
        {"runtime": "../runc"},
        {"command": ("x",) * 300},
    ],
)
def test_what_fits_no_kind_of_placement_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        workload(**fields)


def test_each_kind_can_have_what_is_its_own() -> None:
    workload(ports=(80, 443), volumes=mounts("/data", "/data-2"))
    workload(kind=PlacementKind.REPLICA, http_port=8000, volumes=mounts("/models"))
    files = (JobFile(path="a/b", digest=DIGEST, size_bytes=1),)
    workload(kind=PlacementKind.JOB, inputs=files, outputs_bytes_max=1 << 20)


def test_an_environment_and_a_command_are_shown_by_no_repr() -> None:
    script = ("/bin/sh", "-c", "login hunter2")
    secret = workload(environment={"PASSWORD": "hunter2"}, command=script)
    assert "hunter2" not in f"{secret!r} {secret}"
