"""The verbs of a job, one use-case a file."""
