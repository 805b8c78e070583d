"""This will make the prover one file, to be carried to wherever a proof is to be given.

The same sources give the same bytes. Run it as ``python3 -I -S FILE``; where no file can be put,
run ``python3 -I -S -c BOOT`` and send ``line()`` before the first demand.
"""

import base64
import io
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent
#: what a proof needs: the modules and the compiled kernels
SUFFIXES = frozenset({".py", ".z"})
START = b"""import sys
from prover.main import main
raise SystemExit(main(sys.argv[1:]))
"""
#: the earliest that a zip file can tell: dates would make each bundle another
NO_DATE = (1980, 1, 1, 0, 0, 0)


def program() -> bytes:
    """Return the whole prover as one zip file that Python runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        _add(archive, "__main__.py", START)
        for path in sorted(FOLDER.rglob("*")):
            name = path.relative_to(FOLDER).as_posix()
            if path.suffix in SUFFIXES and name != "bundle.py":
                _add(archive, f"prover/{name}", path.read_bytes())
    return packed.getvalue()


def boot() -> str:
    """Return a text for ``python3 -c`` that reads the program from its first line of input.

    It is kept in memory, for a rental's disk may be full or read-only.
    """
    return (
        "import base64,os,runpy,sys;"
        "held=os.memfd_create('prover');"
        "os.write(held,base64.b85decode(sys.stdin.readline().strip()));"
        "runpy.run_path('/proc/self/fd/%d'%held,run_name='__main__')"
    )


def line() -> bytes:
    """Return the first line that ``boot`` reads: the program."""
    return base64.b85encode(program()) + b"\n"


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, NO_DATE)
    # The system that made it is written into the file too: always the same one.
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
