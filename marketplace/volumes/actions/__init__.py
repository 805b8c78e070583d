"""The verbs of volumes, one use-case a file."""
