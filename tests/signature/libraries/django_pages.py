"""A site: answers of 5xx without an exception, views that raise, templates that do not render."""

import os
import sys

import django
from django.conf import settings
from django.http import JsonResponse
from django.shortcuts import render
from django.test import Client
from django.urls import path
from recorder import Recorder

root = sys.argv[1]
os.makedirs(f"{root}/templates")
for name, text in {
    "bill.html": "Dear {{ name }}\n{{ order.total }}\n",
    "menu.html": "{% url 'no-such-page' %}\n",
    "broken.html": "{% if %}\n",
}.items():
    with open(f"{root}/templates/{name}", "w") as file:
        file.write(text)


class Order:
    def total(self):
        return {}["price"]


def stock(request, sku):
    return JsonResponse({"detail": "the warehouse does not answer"}, status=503)


def invoice(request, pk):
    return JsonResponse({"detail": "the printer does not answer"}, status=503)


def pay(request):
    raise ConnectionError(f"bank {request.GET['n']} does not answer")


def bill(request):
    return render(request, "bill.html", {"order": Order(), "name": request.GET["n"]})


def menu(request):
    return render(request, "menu.html")


def broken(request):
    return render(request, "broken.html")


urlpatterns = [
    path("stock/<sku>/", stock),
    path("invoice/<int:pk>/", invoice),
    path("pay/", pay),
    path("bill/", bill),
    path("menu/", menu),
    path("broken/", broken),
]
if __name__ == "__main__":
    settings.configure(
        DEBUG=False,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",
        ROOT_URLCONF=__name__,
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [f"{root}/templates"]}
        ],
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"ours": {"()": Recorder}},
            "root": {"handlers": ["ours"]},
        },
    )
    django.setup()
    client = Client(raise_request_exception=False)
    for n in range(2):
        for address in ("stock/tea-%d/", "invoice/%d/", "pay/?n=%d", "bill/?n=%d", "menu/?%d", "broken/?%d"):
            client.get("/" + address % n)
