"""This will show each step with its time, and name the one that failed; set-up uses it too."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Found = TypeVar("Found")
POLL_S = 0.1


class StepFailed(Exception):
    """A step of the story did not come true; the message says which and why."""


@contextlib.contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show ``title`` while the block runs, then the seconds that it took and what it had to tell.

    :raises StepFailed: from whatever the block raised.
    """
    began = time.monotonic()
    ended = threading.Event()
    ticker = threading.Thread(target=_tick, args=(title, began, ended), daemon=True)
    ticker.start()
    told: list[str] = []
    try:
        yield told.append
    except Exception as error:
        _finish(ticker, ended)
        say(f"  ✗ {title}")
        raise StepFailed(f"{title}: {error}") from error
    finally:
        # Ctrl-C is no failure of the step, yet the ticker must not write over what follows.
        _finish(ticker, ended)
    say(f"  ✓ {title:<58} {time.monotonic() - began:6.1f} s")
    for line in told:
        say(f"      {line}")


def say(line: str, end: str = "\n") -> None:
    """Print one line of the story at once, if anybody still reads it."""
    # The terminal may be closed: what was begun must be cleaned up all the same.
    with contextlib.suppress(OSError):
        print(line, end=end, flush=True)


def until(check: Callable[[], Found | None], *, within_s: float, waiting_for: str) -> Found:
    """Return what ``check`` finds, asking until it is not None.

    :raises TimeoutError: after ``within_s`` seconds.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = check()
        if found is not None:
            return found
        time.sleep(POLL_S)
    raise TimeoutError(f"waited {within_s:.0f} s for {waiting_for}")


def _tick(title: str, began: float, ended: threading.Event) -> None:
    """Show on a terminal that a long step is alive; a log gets a line every ten seconds."""
    to_terminal = sys.stdout.isatty()
    while not ended.wait(0.2 if to_terminal else 10):
        seconds = time.monotonic() - began
        if to_terminal:
            say(f"\r  … {title:<58} {seconds:6.1f} s", end="")
        else:
            say(f"  … {title} ({seconds:.0f} s)")


def _finish(ticker: threading.Thread, ended: threading.Event) -> None:
    if ended.is_set():
        return
    ended.set()
    ticker.join()
    if sys.stdout.isatty():
        say("\r\x1b[K", end="")
