"""The admin's pages, where users log in, and one of ours; the same through Django REST framework."""

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

PRICES = {"coffee": 3}


def price(request: HttpRequest, product: str) -> JsonResponse:
    """Fails for what has no price."""
    return JsonResponse({product: PRICES[product]})


@api_view()
def api_price(request: Request, product: str) -> Response:
    """Fails for what has no price; whoever asks gives name and password with the request."""
    return Response({product: PRICES[product]})


urlpatterns = [
    path("admin/", admin.site.urls),
    path("prices/<product>", price),
    path("api/prices/<product>", api_price),
]
