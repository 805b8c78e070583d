"""One wrong item of a reply is refused alone, with a sentence; what is no reply is none."""

import contextlib
import json
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from miner_agent.domain.reply import MALFORMED, ReplyMalformed, read
from tests.miner_agent.replies import changed, desired, full, json_values, odd, places, reply

ONE, OTHER = UUID(int=1), UUID(int=2)
PATHS = places(full(ONE, OTHER))


def told(content: object) -> bytes:
    return json.dumps(content).encode()


def test_a_good_reply_is_read_whole() -> None:
    heard = read(told(full(ONE, OTHER)))
    assert [one.placement_id for one in heard.reply.desired] == [ONE, OTHER]
    assert heard.reply.validators == heard.reply.gateways == ("ssh-ed25519 AAAA",)
    assert (heard.placements, heard.volumes, heard.nameless) == ((), (), 0)


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        (("surprise",), 1, "surprise: Extra inputs are not permitted"),
        (("workload", "surprise"), 1, "workload.surprise: Extra inputs"),
        (("want",), "dance", "want: Input should be 'run'"),
        (("workload", "resources", "cpu", "count"), 1 << 40, "less than or equal to 4096"),
        (("workload", "resources", "ram", "capacity"), -1, "greater than or equal to 0"),
        (("workload", "resources", "hard_disk", "capacity"), "much", "valid integer"),
        (("workload", "ports"), list(range(1, 10_001)), "at most 16 items"),
        (("workload", "ports"), [22], "Name each port once, and not 22"),
        (("workload", "ports"), [0], "greater than or equal to 1"),
        (("workload", "environment"), {"SECRET": "s3cr3t" * 200_000}, "at most 32768"),
        (("workload", "environment"), {f"N{i}": "s3cr3t" * 99 for i in range(500)}, "256 KiB"),
        (("workload", "environment"), {"NAME": "s3cr3t\x00"}, "should match pattern"),
        (("workload", "command"), ["s3cr3t" * 600] * 200, "256 KiB"),
        (("workload", "image"), "busybox\x00s3cr3t", "should match pattern"),
        (("workload", "runtime"), "../../bin/sh", "should match pattern"),
        (("workload", "volumes"), [{"volume_id": str(OTHER), "path": "/data/../etc"}], "plain"),
        (("workload", "volumes"), [{"volume_id": str(OTHER), "path": "/etc/cron.d"}], "cannot be"),
        (("workload", "kind"), "pyramid", "workload.kind"),
        (("gpu_uuids",), ["GPU-" + "f" * 300], "at most 200"),
        (("gpu_uuids",), "GPU-1", "valid tuple"),
        (("registry_login",), {"username": "me", "password": ["s3cr3t"]}, "valid string"),
        (("next_sequence",), -1, "greater than or equal to 0"),
        (("edition",), 1 << 31, "less than or equal to"),
        (("run_for_ms",), 10**30, "run_for_ms"),
        (("workload",), None, "workload"),
    ],
)
def test_a_wrong_item_is_refused_alone_with_a_sentence_that_quotes_no_secret(
    path: tuple[str, ...], value: object, part: str
) -> None:
    content = changed(reply(desired(ONE), desired(OTHER)), ("desired", 0, *path), value)
    heard = read(told(content))
    assert [one.placement_id for one in heard.reply.desired] == [OTHER]
    (malformed,) = heard.placements
    assert (malformed.id, malformed.problem.code) == (ONE, MALFORMED)
    assert part in malformed.problem.message
    assert malformed.problem.message.startswith("This machine cannot read it: ")
    assert "s3cr3t" not in malformed.problem.message
    assert not malformed.ends


def test_an_item_that_shall_end_is_heard_however_wrong_the_rest_is() -> None:
    content = reply(desired(ONE))
    content = changed(changed(content, ("desired", 0, "want"), "end"), ("desired", 0, "new"), 1)
    (malformed,) = read(told(content)).placements
    assert malformed.ends


def test_what_is_named_twice_is_refused_and_the_rest_goes_on() -> None:
    twice = [desired(ONE), desired(OTHER), desired(ONE, edition=1)]
    heard = read(told(reply(*twice)))
    assert [one.placement_id for one in heard.reply.desired] == [OTHER]
    (malformed,) = heard.placements
    assert malformed.id == ONE
    assert "more than once" in malformed.problem.message


def test_a_volume_and_a_key_that_are_wrong_are_set_aside_alone() -> None:
    content = full(ONE, OTHER)
    content["volumes"] += [{"volume_id": str(ONE), "size_bytes": -1}]
    content["validators"] += ["ssh-ed25519 AAAA\nssh-rsa BBBB", 7]
    heard = read(told(content))
    assert [volume.volume_id for volume in heard.reply.volumes] == [OTHER]
    assert [malformed.id for malformed in heard.volumes] == [ONE]
    assert heard.reply.validators == ("ssh-ed25519 AAAA",)


def test_what_does_not_say_whose_it_is_harms_nobody() -> None:
    content = reply(desired(ONE))
    content["desired"] += [None, 7, [], {}, {"placement_id": "me"}, {"placement_id": None}]
    heard = read(told(content))
    assert [one.placement_id for one in heard.reply.desired] == [ONE]
    assert (heard.placements, heard.nameless) == ((), 6)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"desired":' * 5_000,
        b"null",
        b"[]",
        b"1" * 10_000,
        b'{"nonce": "' + b"n" * 300 + b'", "server_time_ms": 0, "revision": 1}',
        b'{"nonce": "\\u0000", "server_time_ms": 0, "revision": 1}',
        b'{"nonce": "n", "server_time_ms": 0, "revision": 9223372036854775808}',
        b'{"nonce": "n", "server_time_ms": 0, "revision": -1}',
        b'{"nonce": "n", "server_time_ms": 0, "revision": 1, "desired": {}}',
        b'{"nonce": "n", "server_time_ms": 0, "revision": 1, "surprise": 1}',
        told({**reply(), "desired": [{}] * 1001}),
    ],
)
def test_what_is_no_reply_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ReplyMalformed):
        read(body)


@settings(deadline=None)
@given(st.binary() | json_values.map(told))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with contextlib.suppress(ReplyMalformed):
        read(body)


@settings(max_examples=200, deadline=None)
@example(path=("desired", 0, "placement_id"), value=str(OTHER))
@given(path=st.sampled_from(PATHS), value=odd | json_values)
def test_one_wrong_place_never_hides_another_placement(
    path: tuple[object, ...], value: object
) -> None:
    content = changed(full(ONE, OTHER), path, value)
    try:
        heard = read(told(content))
    except ReplyMalformed:
        # Nothing inside an item may cost more than the item.
        assert len(path) == 1
        return
    for malformed in heard.placements:
        assert malformed.problem.message.isprintable()
    if path[0] != "desired" or len(path) < 2:
        return
    hit, spared = (ONE, OTHER) if path[1] == 0 else (OTHER, ONE)
    said = {one.placement_id for one in heard.reply.desired}
    refused = {malformed.id for malformed in heard.placements}
    assert spared in said | refused
    if path[2:] == ("placement_id",) or len(path) == 2:
        return
    assert spared in said
    assert hit in said | refused


def test_an_unreadable_id_is_not_anothers() -> None:
    placement_id = uuid4()
    content = changed(reply(desired(placement_id)), ("desired", 0, "placement_id"), "0" * 31)
    assert read(told(content)).reply.desired == ()
