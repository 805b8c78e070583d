"""Pure rules of the agent: no input or output, no clock, no randomness."""
