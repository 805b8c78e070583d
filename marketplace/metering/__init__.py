"""This will turn signed intervals into charges: only proven seconds cost money."""
