"""A notice inside a rental: a file that comes and goes, and only the signal that was asked for."""

import pytest

from protocol.agent import Notice, ObservedState
from tests.miner_agent.host import Host

#: 2026-11-22 00:31:00 UTC
NOTICE = Notice(reason="outbid", stops_at_ms=1_795_307_460_000)
TOLD = '{"reason": "outbid", "stops_at": "2026-11-22T00:31:00Z"}'
COMMAND = ("sh", "-c", "trap 'cat /run/berth/notice > /saved' USR1; while :; do sleep 0.1; done")


@pytest.mark.parametrize("named", ["SIGUSR1", "KILL"])
def test_a_notice_is_told_by_a_file_and_by_the_signal_that_is_named(host: Host, named: str) -> None:
    desired = host.desire(command=COMMAND, environment={"BERTH_NOTICE_SIGNAL": named})
    seen = host.market.wait_for(desired.placement_id, ObservedState.RUNNING)
    look = "cat /run/berth/notice /saved 2>/dev/null; true"
    assert host.ssh(seen, look).stdout == ""
    host.market.want(desired.model_copy(update={"notice": NOTICE}))
    said = 2 if named == "SIGUSR1" else 1
    host.market.wait_until(lambda: host.ssh(seen, look).stdout == f"{TOLD}\n" * said)
    host.market.want(desired)
    host.market.wait_until(lambda: host.ssh(seen, "test -e /run/berth/notice").returncode == 1)
    # Whatever it was named, it is the same start of the same container.
    assert host.market.wait_for(desired.placement_id, ObservedState.RUNNING).run == seen.run
