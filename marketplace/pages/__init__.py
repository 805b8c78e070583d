"""This will show the market to people: pages that work without scripts and come alive with them."""
