"""The ``berth`` command, one file per group of commands."""
