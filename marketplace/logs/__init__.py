"""This will bring renters the ends of what their containers said, when they ask for them."""
