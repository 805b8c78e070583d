"""This will hold the use-cases of logs."""
