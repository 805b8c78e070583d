"""What changed in the tables of payments, in order."""
