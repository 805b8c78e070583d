"""This will hold the template tags of the site."""
