"""The verbs of a rental, one use-case a file."""
