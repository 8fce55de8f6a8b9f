"""Two failing callbacks, logged by Twisted's observer, as the text that a failure prints, and as its `repr`."""

import gc
import logging

from recorder import record
from twisted.internet import defer
from twisted.logger import Logger, STDLibLogObserver, globalLogBeginner
from twisted.python import log as legacy
from twisted.python.failure import Failure

record()
globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False, discardBuffer=True)
log = Logger(namespace="shop")


def parse(row):
    return row["x"]


def save(row):
    return int(row["text"])


def crawl(step):
    return step({"text": "a"})


def failure(step):
    found = []
    defer.succeed(None).addCallback(lambda _: crawl(step)).addErrback(found.append)
    return found[0]


def lose(step):
    defer.succeed(None).addCallback(lambda _: crawl(step))
    gc.collect()


for step in (parse, save, parse):
    lose(step)  # "Unhandled error in Deferred", twice each: the heading and the failure
for step in (parse, save, parse):
    log.failure("the crawl failed", failure(step))
for step in (parse, save, parse):
    legacy.err(failure(step), "the crawl failed")
for step in (parse, save, parse):
    logging.getLogger("shop").error("crawl: %s", failure(step).getTraceback())
for step in (parse, save, parse):
    logging.getLogger("shop").error("crawl: %s", failure(step).getBriefTraceback())
for step in (parse, save, parse):
    try:
        crawl(step)
    except Exception:
        logging.getLogger("shop").error("crawl: %s", Failure())
