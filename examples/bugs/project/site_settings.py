"""Settings of the bugs' Django application."""

SECRET_KEY = "only-of-an-example"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS: list[str] = []
CARRIERS = {"post": 490, "courier": 1290}
