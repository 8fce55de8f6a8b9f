"""Tasks that are lost, tasks whose exception nobody retrieves, and a coroutine that nobody awaits."""

import asyncio
import gc
import logging
import warnings

from recorder import record

record()
logging.captureWarnings(True)
warnings.simplefilter("always")
logging.getLogger("py.warnings").addFilter(lambda found: setattr(found, "levelno", logging.ERROR) or True)


async def poll_bank():
    await asyncio.get_running_loop().create_future()


async def feed_stock():
    await asyncio.get_running_loop().create_future()


async def weigh():
    raise ValueError("too heavy")


def lose(coroutine):
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine())
    loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)
    loop.run_forever()
    loop.close()
    del task
    gc.collect()


for one in (poll_bank, poll_bank, feed_stock, weigh, weigh):
    lose(one)
for one in (poll_bank, feed_stock, feed_stock):
    one()
    gc.collect()
