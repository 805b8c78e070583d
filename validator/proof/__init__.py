"""The validator's half of the proof-of-CPU."""
