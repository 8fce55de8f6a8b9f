"""Django: LOGGING has the handler, MIDDLEWARE ours below Django's own; the user who asks is the client.

    python manage.py migrate
    python manage.py createsuperuser --username martin
    gunicorn --workers 3 wsgi

Log in at http://127.0.0.1:8000/admin/, then open http://127.0.0.1:8000/prices/tea?currency=EUR. At /api/prices/tea
Django REST framework asks for name and password itself.
"""

from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "django-insecure-of-an-example"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "site"},
        "console": {"class": "logging.StreamHandler"},
    },
    "root": {"handlers": ["tocsin", "console"]},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "UNAUTHENTICATED_USER": None,
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tocsin.handler.middleware.django_middleware",
]
