"""How the agent gets onto a machine, and a newer one in its place."""
