"""Where weights go: one interface, a chain in memory and a Bittensor subnet."""
