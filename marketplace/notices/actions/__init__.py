"""What is done about notices and web hooks, one use-case per file."""
