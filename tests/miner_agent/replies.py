"""Replies of a marketplace that has lost its mind: valid ones, mutated at one place or at many."""

import copy
import json
from uuid import UUID

from hypothesis import strategies as st

from protocol.agent import DesiredPlacement, SyncReply, Want
from protocol.hardware import Resources
from protocol.workload import DesiredVolume, PlacementKind, VolumeMount, Workload

#: what no list, number or text of a reply may be
ODD = (
    *(
        None,
        True,
        -1,
        0,
        1.5,
        1 << 31,
        1 << 63,
        1 << 80,
        "",
        "\x00",
        "../../etc/shadow",
        "x" * 5000,
    ),
    *([], {}, [[]], {"": ""}, list(range(10_000)), {"a": "b" * (1 << 20)}, ["GPU-1"] * 3),
)
odd = st.sampled_from(ODD)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def workload(**changes: object) -> Workload:
    """Return one that any machine of the tests runs."""
    resources = Resources.of(cpus=1, ram_bytes=1, disk_bytes=1)
    return Workload.model_validate({"image": "i", "resources": resources, **changes})


def desired(placement_id: UUID, **changes: object) -> DesiredPlacement:
    """Return a placement that shall run."""
    named = {"placement_id": placement_id, "want": Want.RUN, "run_for_ms": 3_600_000}
    return DesiredPlacement.model_validate({**named, "workload": workload(), **changes})


def reply(*placements: DesiredPlacement, revision: int = 1, **changes: object) -> dict[str, object]:
    """Return a reply as JSON gives it."""
    said = SyncReply(nonce="n", server_time_ms=0, revision=revision, desired=placements)
    return json.loads(said.model_copy(update=changes).model_dump_json())


def full(placement_id: UUID, other_id: UUID) -> dict[str, object]:
    """Return a reply that uses every field there is."""
    rental = desired(
        placement_id,
        workload=workload(
            command=("sleep", "1"),
            environment={"NAME": "value"},
            ports=(80, 443),
            volumes=(VolumeMount(volume_id=other_id, path="/data"),),
            runtime="runsc",
        ),
        registry_login={"username": "me", "password": "secret"},
        authorized_keys=("ssh-ed25519 AAAA",),
        refused={"signature": "ab", "previous": "0" * 64, "reason": "told twice"},
    )
    job = desired(
        other_id,
        workload=workload(
            kind=PlacementKind.JOB,
            inputs=({"path": "a/b", "digest": "0" * 64, "size_bytes": 1},),
            outputs_bytes_max=1,
        ),
    )
    volumes = (DesiredVolume(volume_id=other_id, size_bytes=1 << 20),)
    keys = ("ssh-ed25519 AAAA",)
    return reply(rental, job, volumes=volumes, validators=keys, gateways=keys)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path of everything inside."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = [path] if path else []
    for key, one in inner:
        found += places(one, (*path, key))
    return found


def changed(value: object, path: tuple[object, ...], new: object) -> object:
    """Return a copy with one place of it replaced."""
    whole = copy.deepcopy(value)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return whole
