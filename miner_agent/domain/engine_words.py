"""This will turn what Docker said of a container that it did not start into what a renter is told.

Docker speaks of the host's paths, versions and tools: these are nobody else's business, and no
renter could make anything of them. They stand in the agent's log.
"""

import re

#: what Docker's words hold, and what that means; the first that is found counts.
#: Source: messages of dockerd 20.10 and runc 1.1, read 2026-11-21
MEANINGS = (
    (
        re.compile(r"executable file not found|exec: .*no such file or directory", re.IGNORECASE),
        "command_unknown",
        "Its image has no program of the name that its command begins with.",
    ),
    (
        re.compile(r"exec: .*(?:permission denied|is a directory)", re.IGNORECASE),
        "command_unknown",
        "What its command begins with is no program that may be run.",
    ),
    (
        re.compile(r"exec format error|image operating system", re.IGNORECASE),
        "image_platform",
        "Its image is for another kind of machine: choose one for this processor.",
    ),
    (
        re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE),
        "no_capacity",
        "This machine's disk is full.",
    ),
    (
        re.compile(r"cannot allocate memory|not enough memory", re.IGNORECASE),
        "no_capacity",
        "This machine has too little memory left.",
    ),
)
OTHERWISE = (
    "start_failed",
    "This machine could not start it: rent another one; its host has to look.",
)


def meaning(words: str) -> tuple[str, str]:
    """Return a stable code and one sentence that holds none of the words."""
    for pattern, code, sentence in MEANINGS:
        if pattern.search(words):
            return code, sentence
    return OTHERWISE
