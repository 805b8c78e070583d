"""The verbs of an endpoint, one use-case a file."""
