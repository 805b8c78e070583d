"""This will check what people type, one form a file."""
