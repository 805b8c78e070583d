"""This will configure Django for a validator that runs alone, with no marketplace beside it."""

import os

from validator.apps import ValidatorConfig

#: a validator alone serves no page and signs no cookie; Django only asks that a key exists
SECRET_KEY = os.urandom(32).hex()
INSTALLED_APPS = [f"{ValidatorConfig.__module__}.{ValidatorConfig.__name__}"]
#: what it sent to the chain, and nothing else; ``set_weights`` makes and migrates it
DATABASE_FILE = os.environ.get("BERTH_VALIDATOR_DATABASE") or ".berth/validator.sqlite3"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE_FILE,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
#: set_weights may migrate: nobody else keeps anything in this database
VALIDATOR_OWNS_DATABASE = True
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("BERTH_LOG_LEVEL", "INFO")},
}
