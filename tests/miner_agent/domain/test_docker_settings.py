"""Docker's own settings gain what is missing and lose nothing."""

import json

import pytest

from miner_agent.domain.docker_settings import WANTED, SettingsUnreadable, merged, missing


@pytest.mark.parametrize("text", ["", " \n", "{}"])
def test_without_settings_all_that_is_wanted_is_written(text: str) -> None:
    assert json.loads(merged(text)) == dict(WANTED)


def test_what_the_host_has_said_stays_as_it_is() -> None:
    told = '{"userns-remap": "berth", "data-root": "/big"}'
    assert missing(told) == {"live-restore": True, "max-concurrent-downloads": 64}
    assert json.loads(merged(told)) == {
        "userns-remap": "berth",
        "data-root": "/big",
        "live-restore": True,
        "max-concurrent-downloads": 64,
    }


@pytest.mark.parametrize("text", ["{,}", "[]", "1"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsUnreadable):
        merged(text)
