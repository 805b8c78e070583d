"""This will let renters use a terminal in their browser."""
