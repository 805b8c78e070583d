"""This will hold what operators do, and what they read to decide it."""
