"""The admin's pages, where users log in, and one of ours."""

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import path

PRICES = {"coffee": 3}


def price(request: HttpRequest, product: str) -> JsonResponse:
    """Fails for what has no price."""
    return JsonResponse({product: PRICES[product]})


urlpatterns = [
    path("admin/", admin.site.urls),
    path("prices/<product>", price),
]
