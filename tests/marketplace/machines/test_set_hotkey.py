import pytest

from marketplace.machines.actions.set_hotkey import (
    MachineNotYours,
    MinerHotkeyMalformed,
    set_hotkey,
)
from tests.marketplace.scene import Judge, machine, user

pytestmark = pytest.mark.django_db


def test_a_host_says_which_hotkey_earns_for_a_machine() -> None:
    on, hotkey = machine(), Judge().keypair.ss58_address
    set_hotkey(host_id=on.host_id, machine_id=on.id, hotkey=hotkey)
    on.refresh_from_db()
    assert on.miner_hotkey == hotkey
    set_hotkey(host_id=on.host_id, machine_id=on.id, hotkey="")
    on.refresh_from_db()
    assert on.miner_hotkey == ""


def test_what_is_no_hotkey_is_refused() -> None:
    on = machine()
    with pytest.raises(MinerHotkeyMalformed):
        set_hotkey(host_id=on.host_id, machine_id=on.id, hotkey="nonsense")


def test_another_host_may_not_set_it() -> None:
    stranger = user("other@example.org").id
    with pytest.raises(MachineNotYours):
        set_hotkey(host_id=stranger, machine_id=machine().id, hotkey="")
