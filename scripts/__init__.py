"""This will hold what the Makefile runs: set-up, the demo, and engines for the tests."""
