"""What the demo says at its end works when it is typed."""

import shlex
import subprocess
import sys

from scripts.demo.__main__ import renting


def test_each_line_to_type_is_understood_by_the_terminal_program() -> None:
    lines = renting("http://127.0.0.1:8011", "renter@demo.berth.example")
    for line in lines:
        program, *words = shlex.split(line)
        assert program == ".venv/bin/berth"
        done = subprocess.run(
            [sys.executable, "-m", "berth", *words, "--help"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        # An option that there is not is found before the help.
        assert done.returncode == 0, done.stderr
    assert "--url http://127.0.0.1:8011 --email renter@demo.berth.example" in lines[0]
    assert "berth/base:1" in lines[-1]
