"""The people: their log-in, their SSH keys and their API keys."""
