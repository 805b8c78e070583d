"""This will keep a renter's programs answering HTTP: replicas behind the site's gateways."""
