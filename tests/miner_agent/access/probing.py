"""A program in the prover's place that says whatever it is asked, and who asks it."""

import json
import socket
from typing import Any

PROGRAM = b"""
import ctypes, json, os, socket, sys

def fill(file):
    while True:
        file.write(bytes(8 << 20))

def attempt(text):
    try:
        return eval(text)
    except Exception as error:
        return type(error).__name__

for asked in sys.stdin:
    print(json.dumps(attempt(json.loads(asked))), flush=True)
"""


def ask(line: socket.socket, expression: str) -> object:
    """Return what the expression is inside."""
    line.settimeout(90)
    line.sendall(json.dumps(expression).encode() + b"\n")
    return hear(line)


def hear(line: socket.socket) -> Any:
    """Return the next thing that is said, in a frame of Docker's."""
    head = exactly(line, 8)
    assert head[0] == 1
    return json.loads(exactly(line, int.from_bytes(head[4:], "big")))


def exactly(line: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = line.recv(count - len(received))
        assert part, "The program ended."
        received += part
    return received
