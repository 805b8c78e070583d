"""This will migrate an empty database once for all tests of a tree: each of them takes a copy.

A SQLite database is kept in the tree, a PostgreSQL database on its server, and in the tree what one
is made of: the server of scripts/with_postgresql.py begins empty.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from scripts.with_postgresql import folder_of_programs

TREE = Path(__file__).resolve().parents[1]
KEPT = TREE / ".pytest_cache" / "migrated"
#: what decides how a migrated database looks
SOURCES = (
    "marketplace/*/migrations/*.py",
    "marketplace/offers/room.py",
    "marketplace/settings.py",
    "requirements/*.txt",
)
#: of one migration, on a machine that has much else to do
MIGRATES_S = 600
#: whoever holds this advisory lock migrates
LOCK = 0x6D696772617465


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
                _migrate(Path(folder))
                (Path(folder) / "berth.sqlite3").rename(ready)
        shutil.copyfile(ready, target)


def name_migrated(url: str) -> str:
    """Return a PostgreSQL database on this server that can be another one's template."""
    ready = f"berth_migrated_{_digest()}"
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if not session.execute("SELECT FROM pg_database WHERE datname = %s", [ready]).fetchall():
            # Under another name, as whoever migrates may be ended before it is whole.
            new = f"{ready}_new"
            session.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(new)))
            session.execute(SQL("CREATE DATABASE {}").format(Identifier(new)))
            _fill(urlsplit(url)._replace(path=new).geturl(), version=session.info.server_version)
            renames = SQL("ALTER DATABASE {} RENAME TO {}")
            session.execute(renames.format(Identifier(new), Identifier(ready)))
    return ready


def _fill(url: str, *, version: int) -> None:
    """Migrate an empty PostgreSQL database, or do again what that came to before."""
    # The library reads the address of a database as Django does but for its first word.
    address = url.replace("postgres://", "postgresql://", 1)
    KEPT.mkdir(parents=True, exist_ok=True)
    ready = KEPT / f"{_digest()}-{version}.sql"
    if ready.exists():
        _ask("psql", "-qX", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", ready, address)
        return
    for old in KEPT.glob("*.sql"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=KEPT) as folder:
        _migrate(Path(folder), url=url)
        _ask("pg_dump", "--no-owner", "-f", Path(folder) / "made.sql", address)
        (Path(folder) / "made.sql").rename(ready)


def _ask(program: str, *words: object) -> None:
    command = [str(folder_of_programs() / program), *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=MIGRATES_S)


def _migrate(folder: Path, *, url: str = "") -> None:
    environment = os.environ | {"BERTH_DATA_DIR": str(folder), "BERTH_DATABASE_URL": url}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=TREE,
        env=environment,
        check=True,
        timeout=MIGRATES_S,
    )


def _digest() -> str:
    files = sorted(path for pattern in SOURCES for path in TREE.glob(pattern))
    content = hashlib.sha256()
    for path in files:
        content.update(f"{path.relative_to(TREE)}\0".encode() + path.read_bytes())
    return content.hexdigest()[:32]
