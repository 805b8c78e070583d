"""The ways in which hosts are paid, one use-case per file."""
