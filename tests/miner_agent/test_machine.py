"""The machine's state on disk."""

import stat
from pathlib import Path

from miner_agent.machine import Machine
from miner_agent.settings import read


def test_nobody_else_on_the_machine_reads_the_journal(tmp_path: Path) -> None:
    machine = Machine(read({"HOME": "/root", "BERTH_AGENT_HOME": str(tmp_path)}))
    journal = machine.journal()
    journal.remember(nonce="n")
    files = list(tmp_path.glob("journal*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    journal.close()
