"""This will keep the libraries' line about every call out of what an operator reads."""

import logging


def quiet() -> None:
    """Log of HTTP and SSH only what goes wrong: a line for every call buries what matters."""
    for noisy in ("httpx", "asyncssh"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
