"""Whose machines there are, what they have, and which of them are there now."""
