"""This will play thirty days of miners that behave well and badly, on the real rules."""
