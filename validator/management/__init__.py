"""The validator's management commands."""
