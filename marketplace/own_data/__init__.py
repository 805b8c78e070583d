"""This will hand people all that is kept about them."""
