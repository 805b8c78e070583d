"""What Berth's programs say to each other: messages, canonical bytes, signatures."""
