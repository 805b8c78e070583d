"""Who verifies machines, what they concluded, and whether a machine is vouched for now."""
