"""This will stand in for Stripe on loopback, for tests and the demo: nobody is charged or paid."""
