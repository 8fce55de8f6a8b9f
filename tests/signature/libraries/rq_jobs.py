"""Jobs of RQ that fail in its worker's own process; the broker is a fake in memory."""

import fakeredis
import rq_own_jobs
from recorder import record
from rq import Queue, SimpleWorker

record()
SimpleWorker._set_ip_address = lambda self, connection: setattr(self, "ip_address", "127.0.0.1")
connection = fakeredis.FakeStrictRedis()
queue = Queue(connection=connection)
for number in range(3):
    queue.enqueue(rq_own_jobs.total, number)
queue.enqueue(rq_own_jobs.load, "/no/such/file")
SimpleWorker([queue], connection=connection).work(burst=True)
