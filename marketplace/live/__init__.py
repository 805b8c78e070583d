"""This will tell open pages at once that the rental which they show has changed."""
