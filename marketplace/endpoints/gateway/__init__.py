"""This will lead callers to replicas: a process of its own, ``manage.py run_gateway``."""
