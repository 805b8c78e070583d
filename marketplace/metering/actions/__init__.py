"""The verbs of metering, one use-case a file."""
