"""The ways in which money moves, one use-case per file."""
