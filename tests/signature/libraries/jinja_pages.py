"""Jinja templates of two releases in two directories; two lines are broken."""

import logging
import os
import sys

import jinja2
from recorder import record

record()
for release in ("release-41", "release-42"):
    root = f"{sys.argv[1]}/{release}"
    os.makedirs(f"{root}/templates")
    for name, text in {
        "bill.html": "Dear\n{{ order.total.net }}\n",
        "menu.html": "{{ order.menu.tea }}\n",
    }.items():
        with open(f"{root}/templates/{name}", "w") as file:
            file.write(("\n" if release == "release-42" else "") + text)
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(f"{root}/templates"), autoescape=True)
    for name in ("bill.html", "menu.html"):
        try:
            pages.get_template(name).render(order={})
        except jinja2.UndefinedError:
            logging.getLogger("shop").exception("no page")
