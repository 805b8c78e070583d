"""The use-cases of offers, one a file."""
