"""This will let a renter start, watch, extend and stop a rental."""
