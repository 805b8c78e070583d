"""This will hold one file for each act of an operator."""
