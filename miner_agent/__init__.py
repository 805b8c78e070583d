"""The agent of one machine: it keeps placements running here and answers validators."""

VERSION = "0.2.0"
