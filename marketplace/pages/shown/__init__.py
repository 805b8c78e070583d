"""This will prepare what the templates show: plain strings and addresses, no queries."""
