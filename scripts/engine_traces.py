"""This will remember what the machine was like before an own Docker Engine, and restore it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from scripts import firewall_rules, mounts, subordinate_ids
from scripts.ending import end

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "docker0"
STOP_S_MAX = 40


def run_folder(folder: Path) -> Path:
    """Return where the engine's sockets are: below a deep folder their paths would be too long."""
    return Path("/run") / f"berth-docker-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"


def process_file(folder: Path) -> Path:
    """Return the file with the engine's process number."""
    return folder / "dockerd.pid"


def remember(folder: Path) -> None:
    """Write down the machine's state, unless a run that was killed has done so before."""
    note = _note(folder)
    if note.exists():
        return
    state = {
        "rules": firewall_rules.read(),
        "forwarding": FORWARDING.read_text().strip(),
        "subordinate_ids": subordinate_ids.had(),
    }
    note.parent.mkdir(mode=0o711, exist_ok=True)
    # In one step: half a note would be taken for the whole.
    draft = note.with_suffix(".draft")
    draft.write_text(json.dumps(state))
    draft.rename(note)


def stop_engine(folder: Path) -> None:
    """End the engine of a run that was killed; its traces go with the next :func:`remove`."""
    try:
        process_id = int(process_file(folder).read_text())
        command = Path(f"/proc/{process_id}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    # The number may mean another process by now.
    if str(folder).encode() in command:
        end(process_id, within_s=STOP_S_MAX)


def remove(folder: Path) -> None:
    """Remove what the engine leaves when it ends: mounts, rules, its bridge, its sockets."""
    state = json.loads(_note(folder).read_text())
    for used in (folder, run_folder(folder)):
        mounts.unmount_below(used)
    firewall_rules.remove_added_by_docker(state["rules"])
    FORWARDING.write_text(state["forwarding"])
    subordinate_ids.remove_added(state["subordinate_ids"])
    if Path("/sys/class/net", BRIDGE).exists():
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, timeout=10)
    shutil.rmtree(run_folder(folder), ignore_errors=True)


def _note(folder: Path) -> Path:
    return run_folder(folder) / "before.json"
