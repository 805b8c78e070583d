"""The use-cases of placements, one a file."""
