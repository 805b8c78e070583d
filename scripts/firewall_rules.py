"""This will read the packet filter's rules and remove those that a Docker Engine added."""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence

#: by table: the lines of iptables-save
Rules = Mapping[str, tuple[str, ...]]
PROGRAMS = ("iptables", "ip6tables")
OURS = re.compile(r"docker|berth", re.IGNORECASE)


def read() -> dict[str, Rules]:
    """Return every rule and chain, by program and table; empty where the program is missing."""
    return {program: _read(program) for program in PROGRAMS}


def remove_added_by_docker(before: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Remove the rules and chains of Docker and Berth that are not in ``before``."""
    for program in PROGRAMS:
        for table, lines in _read(program).items():
            old = set(before[program].get(table, ()))
            _remove(program, table, [line for line in lines if line not in old], old)


def of_berth() -> list[str]:
    """Return the rules that belong to Berth's agent."""
    return [
        line
        for rules in read().values()
        for lines in rules.values()
        for line in lines
        if re.search("berth", line, re.IGNORECASE)
    ]


def _read(program: str) -> Rules:
    try:
        saved = subprocess.run(
            [f"{program}-save"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    tables: dict[str, list[str]] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
            tables[table] = []
        elif line.startswith(":"):
            # Counters differ from one reading to the next.
            tables[table].append(line.split(" [")[0])
        elif line.startswith("-A"):
            tables[table].append(line)
    return {name: tuple(lines) for name, lines in tables.items()}


def _remove(program: str, table: str, added: list[str], old: set[str]) -> None:
    run = [program, "-w", "10", "-t", table]
    for line in added:
        if line.startswith("-A") and OURS.search(line):
            _call([*run, "-D", *shlex.split(line)[1:]])
    chains = [line[1:].split()[0] for line in added if line.startswith(":") and OURS.search(line)]
    for option in ("-F", "-X"):
        for chain in chains:
            _call([*run, option, chain])
    # Docker closes FORWARD for good; a machine that had it open gets it back. Where nothing had
    # ever used the packet filter there was no line about it, and it was open too.
    if table == "filter" and ":FORWARD DROP" not in old:
        _call([*run, "-P", "FORWARD", "ACCEPT"])


def _call(command: list[str]) -> None:
    subprocess.run(command, check=False, capture_output=True, timeout=20)
