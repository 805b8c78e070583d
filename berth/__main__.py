"""This will let ``python -m berth`` be the ``berth`` command."""

from berth.cli.app import main

main()
