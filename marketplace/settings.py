"""This will configure the marketplace from BERTH_* variables; docs/settings.md explains each."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from marketplace import env, secret_key

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("BERTH_DATA_DIR", default=str(ROOT / ".berth")))
DATA_DIR.mkdir(parents=True, exist_ok=True)

DATABASE_URL = env.text("BERTH_DATABASE_URL")
#: one process tree, SQLite, no outside services
EMBEDDED = env.flag("BERTH_EMBEDDED", default=not DATABASE_URL)
DEBUG = env.flag("BERTH_DEBUG", default=False)
#: the card processor's key; empty: no cards are taken, and no host is paid by it
STRIPE_SECRET_KEY = env.text("BERTH_STRIPE_SECRET_KEY")
#: where it answers; empty: its own address
STRIPE_API_URL = env.text("BERTH_STRIPE_API_URL").rstrip("/")
#: signs what Stripe tells of payments and disputes; empty: they are asked after alone
STRIPE_WEBHOOK_SECRET = env.text("BERTH_STRIPE_WEBHOOK_SECRET")
#: money can be added without a card processor: never on a site with real money
TEST_PAYMENTS = env.flag("BERTH_TEST_PAYMENTS", default=EMBEDDED and not STRIPE_SECRET_KEY)

#: how many calls of the API one key may make in a minute; 0: any number, here and below
KEY_CALLS_A_MINUTE = env.integer("BERTH_KEY_CALLS_A_MINUTE", default=3_000)
#: one network address, of calls that no key is known by
ADDRESS_CALLS_A_MINUTE = env.integer("BERTH_ADDRESS_CALLS_A_MINUTE", default=1_200)
#: one machine beside its sync, and one validator
PROGRAM_CALLS_A_MINUTE = env.integer("BERTH_PROGRAM_CALLS_A_MINUTE", default=30_000)

#: the account that rents here to see how machines do, and how many an hour (rentals/mystery.py)
MYSTERY_RENTER = env.text("BERTH_MYSTERY_RENTER")
MYSTERY_RENTALS_AN_HOUR = env.integer("BERTH_MYSTERY_RENTALS_AN_HOUR", default=12)
MYSTERY_HOUR_MICROUSD_MAX = 1_000_000 * env.integer("BERTH_MYSTERY_HOUR_USD_MAX", default=10)
#: what the rent form proposes to somebody who never rented
DEFAULT_IMAGE = env.text("BERTH_DEFAULT_IMAGE", default="debian:12")
#: machines may have an address inside the site's own network: where all hosts are trusted
PRIVATE_MACHINES = env.flag("BERTH_PRIVATE_MACHINES", default=EMBEDDED)

#: the marketplace's share of each charge, in millionths
FEE_PPM = env.integer("BERTH_FEE_PPM", default=50_000)
#: how much proven time a running placement's charge is for, after its first
CHARGE_EVERY_S = env.integer("BERTH_CHARGE_EVERY_S", default=0 if EMBEDDED else 60)

#: between the word that somebody's bid was outbid and their stop
OUTBID_NOTICE_S = env.integer("BERTH_OUTBID_NOTICE_S", default=60)

#: nothing of an earning is paid out before it is so many days old
PAYOUT_HOLD_DAYS = env.integer("BERTH_PAYOUT_HOLD_DAYS", default=7)
#: what of the last 30 days' older earnings stays for disputes, in millionths
PAYOUT_RESERVE_PPM = env.integer("BERTH_PAYOUT_RESERVE_PPM", default=100_000)
#: less than this waits for another week
PAYOUT_MICROUSD_MIN = env.integer("BERTH_PAYOUT_MICROUSD_MIN", default=20_000_000)
#: signs what Stripe tells of hosts' accounts; empty: they are asked after alone
STRIPE_CONNECT_WEBHOOK_SECRET = env.text("BERTH_STRIPE_CONNECT_WEBHOOK_SECRET")

#: who sells, as invoices and receipts name them; a line of the address ends with \\n
SELLER_NAME = env.text("BERTH_SELLER_NAME", default="Berth")
SELLER_ADDRESS = env.text("BERTH_SELLER_ADDRESS")
SELLER_COUNTRY = env.text("BERTH_SELLER_COUNTRY").upper()
SELLER_VAT_ID = env.text("BERTH_SELLER_VAT_ID")
#: the tax that charges hold, in millionths of the net; 0: they are net and no tax is told of
VAT_PPM = env.integer("BERTH_VAT_PPM", default=0)
#: buyers of another country with a VAT id owe the tax themselves
REVERSE_CHARGE = env.flag("BERTH_REVERSE_CHARGE", default=False)

#: where Celery's queues are, which it reads by itself; the console counts what waits in them
QUEUES_URL = env.text("CELERY_BROKER_URL")

SECRET_KEY = env.text("BERTH_SECRET_KEY")
if not SECRET_KEY:
    if not EMBEDDED:
        raise ImproperlyConfigured("Set BERTH_SECRET_KEY to a long random text.")
    SECRET_KEY = secret_key.load_or_create(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.words("BERTH_ALLOWED_HOSTS", default=("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("BERTH_TRUSTED_ORIGINS")
#: how browsers, agents and the CLI reach this site
PUBLIC_URL = env.text("BERTH_PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
#: how people reach whoever runs the site, and where the project's source and documents lie
CONTACT = env.text("BERTH_CONTACT")
SOURCE_URL = env.text("BERTH_SOURCE_URL")

#: where gateways answer callers of endpoints; their proxy's address where there is one
GATEWAY_URL = env.text("BERTH_GATEWAY_URL", default="http://127.0.0.1:8010").rstrip("/")
#: a gateway's own SSH key, made where there is none
GATEWAY_KEY = env.text("BERTH_GATEWAY_KEY", default=str(DATA_DIR / "gateway_key"))


def _present(package: str) -> bool:
    return (ROOT / package.replace(".", "/") / "apps.py").exists()


INSTALLED_APPS = [
    "marketplace.accounts",
    "marketplace.oversight",
    *filter(
        _present,
        (
            "marketplace.ledger",
            "marketplace.machines",
            "marketplace.verification",
            "marketplace.offers",
            "marketplace.placements",
            "marketplace.volumes",
            "marketplace.templates",
            "marketplace.metering",
            "marketplace.telemetry",
            "marketplace.rentals",
            "marketplace.jobs",
            "marketplace.endpoints",
            "marketplace.terminals",
            "marketplace.logs",
            "marketplace.notices",
            "marketplace.payments",
            "marketplace.payouts",
            "marketplace.papers",
            "marketplace.own_data",
            "marketplace.console",
            "marketplace.pages",
            "validator",
        ),
    ),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.usersessions",
    "django_htmx",
    "template_partials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "marketplace.security.SecurityHeaders",
    "marketplace.nul.NoNul",
    "marketplace.streams.LetGoOfTheDatabase",
    "marketplace.compression.Compression",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "marketplace.accounts.acting.ActingForTeams",
]

ROOT_URLCONF = "marketplace.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.pages.site.site",
            ]
        },
    },
    # For what is shown many times, such as the rows of offers: an eighth of the time.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [ROOT / "templates"],
        "OPTIONS": {"environment": "marketplace.pages.jinja.environment"},
    },
]
FORM_RENDERER = "django.forms.renderers.Jinja2"

# Nothing mapped: SQLite 3.40.1 lost commits so that it had confirmed, 2 to 8 of 2,500, where two
# processes open and close the file as often as requests do; unmapped none of 20,000.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA mmap_size=0;"
    "PRAGMA journal_size_limit=27103364;"
)
if DATABASE_URL:
    DATABASES = {
        "default": env.postgresql(
            DATABASE_URL, connections_max=env.integer("BERTH_DATABASE_CONNECTIONS", default=20)
        )
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(DATA_DIR / "berth.sqlite3"),
            "OPTIONS": {
                # A transaction that starts by reading must already hold the write lock, or two of
                # them can each wait for the other until one fails with "database is locked".
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": SQLITE_PRAGMAS,
            },
        }
    }
ATOMIC_REQUESTS = False
#: where jobs' files are kept by their content; several servers share one folder
BLOBS_DIR = env.text("BERTH_BLOBS_DIR", default=str(DATA_DIR / "blobs"))
BLOB_BYTES_MAX = env.integer("BERTH_BLOB_BYTES_MAX", default=1 << 30)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "/accounts/login/"
#: there somebody new reads what to do first
LOGIN_REDIRECT_URL = "/rentals/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "marketplace.accounts.adapter.Adapter"
#: counted by accounts/views.py instead, for all processes together
ACCOUNT_RATE_LIMITS = dict.fromkeys(
    ("login", "login_failed", "signup", "reauthenticate", "change_password")
)
#: or a session that somebody left open would be enough to take the account by its e-mail address
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "login": "marketplace.pages.forms.account.LogIn",
    "signup": "marketplace.pages.forms.account.SignUp",
}
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PUBLIC_URL.startswith("https://") else "http"

#: without it nobody is told that a letter comes; the embedded site shows letters on its console
EMAIL_URL = env.text("BERTH_EMAIL_URL")
SENDS_MAIL = bool(EMAIL_URL) or EMBEDDED
#: a letter at sign-up proves the address; "mandatory": nobody logs in before
ACCOUNT_EMAIL_VERIFICATION = "optional" if SENDS_MAIL else "none"
if env.flag("BERTH_REQUIRE_PROVEN_EMAIL", default=False):
    if not SENDS_MAIL:
        raise ImproperlyConfigured(
            "BERTH_REQUIRE_PROVEN_EMAIL needs BERTH_EMAIL_URL: without letters nobody could log in."
        )
    ACCOUNT_EMAIL_VERIFICATION = "mandatory"
MFA_ADAPTER = "marketplace.accounts.second_step.Adapter"
MFA_FORMS = {
    "authenticate": "marketplace.accounts.second_step.LogInForm",
    "reauthenticate": "marketplace.accounts.second_step.AgainForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Berth"
#: a phone's clock may be half a minute off
MFA_TOTP_TOLERANCE = 1
#: they are seen once, as they are made
MFA_RECOVERY_CODES_SHOW_ONCE = True
#: nobody can prove an address where no letter is sent
MFA_ALLOW_UNVERIFIED_EMAIL = not SENDS_MAIL
#: by whom people may log in beside us; each only where the site is known there
OTHER_LOG_INS = {"github": "GitHub", "google": "Google"}
#: what the site is there; empty: it is not known there
_KNOWN_AS = {
    "github": (env.text("BERTH_GITHUB_CLIENT_ID"), env.text("BERTH_GITHUB_CLIENT_SECRET")),
    "google": (env.text("BERTH_GOOGLE_CLIENT_ID"), env.text("BERTH_GOOGLE_CLIENT_SECRET")),
}
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    one: {"OAUTH_PKCE_ENABLED": True, "APP": {"client_id": client_id, "secret": secret}}
    for one, (client_id, secret) in _KNOWN_AS.items()
    if client_id and secret
}
SOCIALACCOUNT_ADAPTER = "marketplace.accounts.other_log_ins.Adapter"
#: on the site of one machine, which has no certificate
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = EMBEDDED
#: what people are told on their page is sent to their proven e-mail address too
MAILS_NOTICES = env.flag("BERTH_MAIL_NOTICES", default=SENDS_MAIL)
#: web hooks may lead by http, and to addresses inside the site's own network
PRIVATE_HOOKS = env.flag("BERTH_PRIVATE_HOOKS", default=EMBEDDED)
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = f"berth@{urlsplit(PUBLIC_URL).hostname or 'localhost'}"
if EMAIL_URL:
    _MAIL = env.mail(EMAIL_URL)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _MAIL.host, _MAIL.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.user, _MAIL.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = _MAIL.tls_first, not _MAIL.tls_first
    EMAIL_TIMEOUT = 10
    DEFAULT_FROM_EMAIL = _MAIL.sender or DEFAULT_FROM_EMAIL

#: who is written to when something must be mended by hand, such as books that do not add up
OPERATOR_EMAILS = env.words("BERTH_OPERATOR_EMAILS")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"] if (ROOT / "static").is_dir() else []
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
#: the embedded site serves static/ as it lies; production runs collectstatic, which packs the files
#: and names them by their content, so that a browser asks for each but once
WHITENOISE_USE_FINDERS = EMBEDDED
if not EMBEDDED:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
_OVER_TLS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _OVER_TLS
CSRF_COOKIE_SECURE = _OVER_TLS
SECURE_HSTS_SECONDS = 31_536_000 if _OVER_TLS else 0
#: proxies in front that append to X-Forwarded-For; what stands before their entries is not believed
TRUSTED_PROXIES = env.integer("BERTH_TRUSTED_PROXIES", default=0)
BEHIND_TLS_PROXY = env.flag("BERTH_BEHIND_TLS_PROXY", default=False)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "marketplace.log_lines.IdsFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("BERTH_LOG_LEVEL", default="INFO")},
    # Celery's are several lines about each pass, asyncssh's about each stream of a gateway.
    # Stripe's library writes a line for each request.
    # paramiko's are what a strange server made it stumble over, in its own words: a look says what
    # came of it in one line.
    "loggers": {
        "asyncssh": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "paramiko": {"level": "CRITICAL"},
        "stripe": {"level": "WARNING"},
    },
}
