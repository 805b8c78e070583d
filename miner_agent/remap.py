"""This will say what keeps root of a rental from being root of this machine."""

import os

from miner_agent.domain.root_inside import UNMAPPED, Ids

HOW = (
    'add "userns-remap": "default" to /etc/docker/daemon.json and restart Docker while nothing runs'
)


def missing(root_inside: Ids) -> tuple[str, ...]:
    """Return what has to be done before root inside has no rights outside, in a few words."""
    return (HOW,) if root_inside == UNMAPPED else ()


def unusable(root_inside: Ids) -> tuple[str, ...]:
    """Return what has to be done before this process can serve such an engine."""
    if root_inside == UNMAPPED or os.geteuid() == 0:
        return ()
    return ("run it as root, for Docker maps users here",)
