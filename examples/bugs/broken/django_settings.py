"""A function of a Django application that reads its settings."""

import os

import django
from django.conf import settings


def shipping(carrier: str, weight: int) -> int:
    """Cents for a parcel."""
    return settings.CARRIERS[carrier] + weight // 1000 * 100


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
    django.setup()
    shipping("Post", 1500)
