"""Money out: what hosts earned, what of it is paid to them, and their papers."""
