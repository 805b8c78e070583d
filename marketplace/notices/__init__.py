"""This will tell people what happened to their rentals and money: page, e-mail and web hooks."""
