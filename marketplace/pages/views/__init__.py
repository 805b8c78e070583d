"""This will answer the addresses of the site, one page a file."""
