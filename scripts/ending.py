"""This will end a process that is not our child, politely first."""

import os
import select
import signal


def end(process_id: int, *, within_s: float) -> None:
    """Terminate a process, and kill it where it has not ended ``within_s`` seconds later."""
    try:
        # Unlike a number, this never comes to mean another process.
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], within_s)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
