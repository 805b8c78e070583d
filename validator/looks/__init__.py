"""Looks at machines, taken in processes that have nothing worth stealing."""
