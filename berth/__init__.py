"""The renter's side of Berth: a typed client of the REST API and the ``berth`` command."""
