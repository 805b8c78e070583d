"""This will keep what machines say of their load and of what went wrong on them."""
