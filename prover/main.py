"""This will answer a validator: confine the process, then meet one demand after the other.

Run as a process of its own, as nobody where possible. Nothing here is trusted, for the validator
checks every answer.
"""

import argparse
import contextlib
import os
import pwd
import resource
import signal
import sys
from collections.abc import Sequence

from prover.cpu import Cpu
from prover.disk import BLOCK_BYTES, MEGABYTES_MOST, Disk
from prover.gpu import Gpus
from prover.lines import Answer, Demand, Request, Session, serve
from prover.network import Network

#: of what is said on the line; a validator asks only what this version knows
VERSION = 1
#: kept for the interpreter itself
OWN_BYTES = 1 << 30


class Prover:
    """All demands of one session, by operation. New kinds of demand are added here."""

    def __init__(
        self, *, memory_bytes_most: int, cores: int, with_gpus: bool, scratch: str = ""
    ) -> None:
        self._session = Session()
        self._gpus = Gpus(self._session, with_gpus=with_gpus)
        cpu = Cpu(self._session, memory_bytes_most=memory_bytes_most, cores=cores)
        self.demands: dict[str, Demand] = {
            "hello": self._hello,
            "ping": lambda request: {},
            **cpu.demands(),
            **self._gpus.demands(),
            **Disk(self._session, folder=scratch).demands(),
            **Network(self._session).demands(),
        }

    def _hello(self, request: Request) -> Answer:
        self._session.bind = bytes.fromhex(request["bind"])
        return {
            "version": VERSION,
            "cpus": os.cpu_count() or 1,
            "affinity": len(os.sched_getaffinity(0)),
            **self._gpus.inventory(),
        }


def confine(options: argparse.Namespace, cores: Sequence[int]) -> None:
    """Give up what a proof does not need: other cores, files, more memory, endless time."""
    os.sched_setaffinity(0, cores)
    file_bytes = MEGABYTES_MOST * BLOCK_BYTES if options.scratch else 0
    limits = [(resource.RLIMIT_CORE, 0)]
    if options.cpu_s:
        limits.append((resource.RLIMIT_CPU, options.cpu_s))
    if not options.gpus:
        # CUDA reserves addresses for all the memory there is, many times what it uses, and makes
        # files in memory. What holds it is the container's own limits.
        limits.append((resource.RLIMIT_AS, options.memory_bytes + OWN_BYTES))
        limits.append((resource.RLIMIT_FSIZE, file_bytes))
    for limit, value in limits:
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    # When memory gets short the proof dies first, never a rental.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def become(user: str) -> None:
    """Give up every right that this user does not have."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the limits that the arguments set; without any, those of the surroundings hold."""
    parser = argparse.ArgumentParser(prog="prover", description=__doc__)
    parser.add_argument("--memory-bytes", type=int, default=1 << 30, help="most that is filled")
    parser.add_argument("--cpu-s", type=int, default=0, help="processor seconds of each process")
    parser.add_argument("--cores", default="", help="comma between their numbers; empty: all")
    parser.add_argument("--user", default="", help="whose rights are enough, such as nobody")
    parser.add_argument("--gpus", action="store_true", help="use each GPU that CUDA shows")
    parser.add_argument("--scratch", default="", help="folder to measure the disk in; empty: none")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Answer demands until "bye" or the end of input."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    options = options_of(arguments)
    cores = [int(core) for core in options.cores.split(",") if core] or [*os.sched_getaffinity(0)]
    confine(options, cores)
    # After the limits: the kernel hides /proc/self from a process that has changed its user.
    if options.user:
        become(options.user)
    prover = Prover(
        memory_bytes_most=options.memory_bytes,
        cores=len(cores),
        with_gpus=options.gpus,
        scratch=options.scratch,
    )
    serve(prover.demands, sys.stdin, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
