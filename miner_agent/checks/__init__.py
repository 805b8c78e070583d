"""This will read what the checks judge: each module one part of the machine."""
