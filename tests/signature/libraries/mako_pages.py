"""Mako templates of two releases in two directories, compiled in memory and to files; two lines are broken."""

import logging
import os
import sys

from mako.lookup import TemplateLookup
from recorder import record

record(at_once=True)  # Mako forgets of two templates of one name the first
for release in ("release-41", "release-42"):
    root = f"{sys.argv[1]}/{release}"
    os.makedirs(f"{root}/templates")
    for name, text in {
        "bill.mako": "Dear\n${order.total}\n",
        "menu.mako": "## menu\n\n${order.menu}\n",
    }.items():
        with open(f"{root}/templates/{name}", "w") as file:
            file.write(("\n" if release == "release-42" else "") + text)
    for more in ({}, {"module_directory": f"{root}/compiled"}):
        lookup = TemplateLookup(directories=[f"{root}/templates"], **more)
        for name in ("bill.mako", "menu.mako"):
            try:
                lookup.get_template(name).render(order=object())
            except AttributeError:
                logging.getLogger("shop").exception("no page")
