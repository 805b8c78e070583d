"""The use-cases of machines, one a file."""
