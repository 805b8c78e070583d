"""Money in: card payments and the built-in test gateway."""
