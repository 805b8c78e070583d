"""What is for rent, at what terms, and how it is found."""
