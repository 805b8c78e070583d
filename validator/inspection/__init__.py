"""One look at one machine: its facts, then its proof."""
