"""This will hold the keys by which a site and the stand-in know each other: worth nothing."""

SECRET_KEY = "sk_test_berth"
WEBHOOK_SECRET = "whsec_berth"
CONNECT_WEBHOOK_SECRET = "whsec_berth_connect"
