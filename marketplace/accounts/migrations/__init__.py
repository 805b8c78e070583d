"""What changed in the tables of accounts, in order."""
