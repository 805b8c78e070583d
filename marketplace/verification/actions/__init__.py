"""The use-cases of verification, one a file."""
