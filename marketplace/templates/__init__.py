"""This will keep what people run again and again under a name."""
