"""Accounts and transfers: the only place that writes money."""
