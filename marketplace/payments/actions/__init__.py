"""The ways in which money comes in, one use-case per file."""
