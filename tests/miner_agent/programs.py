"""Small programs in C that tests run inside a rental."""

import subprocess
from pathlib import Path

from tests.miner_agent.test_rental import Rental

SOURCES = Path(__file__).parent


def put(rental: Rental, name: str, folder: Path) -> str:
    """Compile a program, give it to a rental and return its path inside."""
    program = folder / name
    if not program.exists():
        source = str(SOURCES / f"{name}.c")
        subprocess.run(["musl-gcc", "-static", "-Os", "-s", "-o", program, source], check=True)
    client = [*rental.host.inside, *rental.host.client(rental.seen), "root@127.0.0.1"]
    receive = f"cat > /{name} && chmod 755 /{name}"
    subprocess.run([*client, receive], input=program.read_bytes(), check=True)
    return f"/{name}"


def pairs(said: str) -> dict[str, str]:
    """Return what a program said of each thing."""
    split = (line.partition(" ") for line in said.splitlines())
    return {name: result for name, _, result in split}
