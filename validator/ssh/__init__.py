"""The validator's way into a machine: one pinned connection, bounded commands."""
