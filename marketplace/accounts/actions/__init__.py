"""What people can do with their accounts, one use-case per file."""
