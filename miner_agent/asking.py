"""This will take a secret from whoever starts a command, by no way that others here can see.

A command line is shown to everybody on the machine by ``ps``, and kept by the shell.
"""

import getpass
import sys

CHARACTERS_MOST = 1000


def enrolment_token() -> str:
    """Return one line: what a person types, unseen, or what is piped in."""
    if sys.stdin.isatty():
        return getpass.getpass("Enrolment token, from the site's page Host: ").strip()
    return sys.stdin.readline(CHARACTERS_MOST).strip()
