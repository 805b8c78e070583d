"""This will hold what can be done with readings and incidents."""
