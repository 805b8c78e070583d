"""The prover: what a machine runs to show what it can do. Standard library only; see ADR 20."""
