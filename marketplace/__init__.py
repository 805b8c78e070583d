"""The marketplace: the Django project where renters, hosts and validators meet."""
