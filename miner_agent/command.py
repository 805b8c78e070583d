"""This will run a system command with a deadline and a bounded answer."""

import subprocess
from collections.abc import Sequence

ANSWER_CHARACTERS_MOST = 20_000


class CommandFailed(Exception):
    """A system command could not be run, was too slow or said no."""


def run(
    command: Sequence[str],
    *,
    deadline_s: float = 60,
    text: str = "",
    characters_most: int = ANSWER_CHARACTERS_MOST,
) -> str:
    """Return what the command printed; ``text`` is what it reads.

    :raises CommandFailed: when it is missing, exceeds its deadline or exits non-zero.
    """
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            check=False,
            input=text,
            text=True,
            errors="replace",
            timeout=deadline_s,
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{command[0]} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{command[0]} did not finish within {deadline_s:g} s.") from error
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()[-500:]
        raise CommandFailed(f"{' '.join(command[:4])} failed: {said}")
    return result.stdout[:characters_most]
