"""This will hold all that changes templates."""
