"""What an operator of a validator types."""
