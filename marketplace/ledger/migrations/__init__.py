"""What changed in the tables of the ledger, in order."""
