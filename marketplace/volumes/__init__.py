"""Sized folders on a machine that outlive the rentals which use them."""
