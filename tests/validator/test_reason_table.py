"""Every reason that a verdict can have is explained to hosts."""

import re
from pathlib import Path

from validator.domain.verdict import Outcome

TREE = Path(__file__).resolve().parents[2]
CODE = re.compile(r'(?:code=|_less\(|return \(\s+)"([a-z_]+)"')


def test_each_reason_has_its_line_in_the_documentation() -> None:
    rules = [*TREE.glob("validator/domain/**/*.py"), *TREE.glob("marketplace/verification/*.py")]
    codes = {code for path in rules for code in CODE.findall(path.read_text())}
    codes |= {f"machine_{one.value}" for one in Outcome if one is not Outcome.SEEN}
    assert {"cpus_missing", "demands_failed", "claim_changed", "machine_silent"} <= codes
    told = (TREE / "docs" / "verification.md").read_text()
    assert {code for code in codes if f"`{code}`" not in told} == set()
