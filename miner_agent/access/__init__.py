"""The doors into the machine: renters reach a rental, validators reach the agent."""
