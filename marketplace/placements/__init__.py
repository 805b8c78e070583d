"""Which workload runs on which machine: the unit of running things."""
