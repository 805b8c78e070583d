"""The doors into a rental and a machine; one rental of each image serves all tests here."""
