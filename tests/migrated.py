"""This will migrate an empty database once for all tests of a tree: each of them takes a copy."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
KEPT = TREE / ".pytest_cache" / "migrated"
#: what decides how a migrated database looks
SOURCES = ("marketplace/*/migrations/*.py", "marketplace/settings.py", "requirements/*.txt")
#: of one migration, on a machine that has much else to do
MIGRATES_S = 600


def copy_migrated(target: Path) -> None:
    """Put a SQLite database there that ``manage.py migrate`` has made of nothing."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = KEPT / f"{_digest()}.sqlite3"
        if not ready.exists():
            for old in KEPT.glob("*.sqlite3"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=KEPT) as folder:
                _migrate(Path(folder)).rename(ready)
        shutil.copyfile(ready, target)


def _migrate(folder: Path) -> Path:
    environment = os.environ | {"BERTH_DATA_DIR": str(folder)}
    environment.pop("BERTH_DATABASE_URL", None)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=TREE,
        env=environment,
        check=True,
        timeout=MIGRATES_S,
    )
    return folder / "berth.sqlite3"


def _digest() -> str:
    files = sorted(path for pattern in SOURCES for path in TREE.glob(pattern))
    content = hashlib.sha256()
    for path in files:
        content.update(f"{path.relative_to(TREE)}\0".encode() + path.read_bytes())
    return content.hexdigest()[:32]
