"""Tasks of a prefork worker: two over their time limit, one whose process is killed, two that raise."""

import os
import signal
import sys

from celery import Celery
from recorder import record

app = Celery("invoices", broker="filesystem://")
folders = {name: os.path.join(sys.argv[1], name) for name in ("in", "processed", "control")}
app.conf.broker_transport_options = {
    "data_folder_in": folders["in"],
    "data_folder_out": folders["in"],
    "processed_folder": folders["processed"],
    "control_folder": folders["control"],
}
app.conf.task_ignore_result = True
app.conf.worker_hijack_root_logger = False


@app.task(time_limit=1)
def report(number):
    signal.pause()


@app.task(time_limit=1)
def export(number):
    signal.pause()


@app.task
def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def total(number):
    return price(f"sku-{number}") * 2


@app.task
def load(number):
    return open(f"/no/such/file-{number}").read()


def price(sku):
    return {"tea": 3}[sku]


if __name__ == "__main__":
    for folder in folders.values():
        os.makedirs(folder)
    # A hard limit is two records: of the limit, and of the task that failed by it.
    record(at_once=True, enough=3 * 2 + 1 + 4, end=lambda: os.kill(os.getpid(), signal.SIGTERM))
    for task, times in ((total, 2), (load, 2), (report, 2), (export, 1), (die, 1)):
        for number in range(times):
            task.delay(number)
    app.worker_main(["worker", "-c", "1", "--without-mingle", "--without-gossip", "--loglevel", "INFO"])
