"""This will answer the addresses of the operator's console, one page a file."""
