"""Log lines as programs write them, with nothing secret in them: the scrubber must leave every one as it is."""

ORDINARY = r"""
Connection to 10.0.0.5:5432 refused after 3 attempts
GET /orders/4711?page=2&sort=-date 200 in 13 ms
POST http://shop.example.org:8080/api/v1/orders returned 502
Invalid literal for int() with base 10: 'abc'
KeyError: 'customer_number'
user bob@example.org logged in from 192.0.2.17
order 2026-11-28-000017 of customer 4711 shipped at 2026-11-28 05:00:01,123
Task shop.tasks.send_invoice[6a1f0c52-1d5e-4f3b-9f6e-0d6f4a1b2c3d] succeeded in 0.0213s: None
commit 9f552ec5c1b0d0f8a6e7d3c2b1a09f8e7d6c5b4a by anna
sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709 does not match
/srv/shop/releases/20261128050001/shop/views/order_confirmation.py:117
<shop.orders.Order id=7 total=12.50 customer=<shop.customers.Customer>>
<function TransactionManager.commit_all_pending at 0x7f3a2b1c0d9e>
UniqueViolation: duplicate key value violates unique constraint "orders_number_key"
DETAIL:  Key (number)=(4711) already exists.
missing fields: ['username', 'password', 'email']
Wrong password for user 17, 2 tries left
The session was closed by its peer
unexpected token '}' at line 3 column 7
author: alice, keyboard: azerty, shipping: express
Basic authentication is required for this realm
Token authentication failed twice
redis://cache:6379/0?health_check_interval=30&owner=a@b.example
docker run -u 1000:1000 --rm image:latest
ssh -p 2222 host.example.org uptime
mkdir -p /var/lib/shop/spool
tar -xpf backup-2026-11-28.tar.gz
ERROR 1045 (28000): Access denied for user 'shop'@'localhost'
[SQL: SELECT orders.id, orders.number FROM orders WHERE orders.number = ? LIMIT ?]
[parameters: ('4711', 1)]
1 validation error for Order
price
  Input should be a valid number [type=float_parsing, input_value='12,50', input_type=str]
    For further information visit https://errors.pydantic.dev/2.11/v/float_parsing
[{'type': 'missing', 'loc': ('body', 'price'), 'msg': 'Field required', 'input': 'x'}]
{"event": "order_failed", "order": 4711, "reason": "no stock", "ms": 13}
{'name': 'colour', 'value': 'red', 'type': 'string'}
- name: PORT
  value: 8080
<property><name>colour</name><value>red</value></property>
dict_items([('user', 'bob'), ('colour', 'red')])
Command '['git', 'fetch', '--depth', '1', 'origin']' returned non-zero exit status 128.
curl: (6) Could not resolve host: api.example.org
SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed: self-signed certificate (_ssl.c:1002)
OSError: [Errno 28] No space left on device: '/var/lib/shop/spool/000017.seg'
MemoryError in worker 12345 after 1048576 bytes
RuntimeWarning: coroutine 'send_mail' was never awaited
AttributeError: 'NoneType' object has no attribute 'passenger'
task-runner-with-a-very-long-name finished in 12s
pod shop-worker-7d9f8b6c5d-x2k4q evicted: The node was low on resource: memory.
arn:aws:sqs:eu-central-1:123456789012:orders-queue does not exist
s3://shop-bucket/exports/2026/11/orders-000017.csv.gz: 404
Zone Europe/Berlin, offset +01:00, week 48
price 12.50 EUR for article AB-1234567, 3 of 17 left
ISBN 978-3-16-148410-0 not found
call +49 30 123456 for details
IBAN check failed for customer 17
id 550e8400-e29b-41d4-a716-446655440000 is unknown
Compass shows north, the passenger is bob
TypeError: unsupported operand type(s) for +: 'int' and 'str'
django.db.utils.OperationalError: server closed the connection unexpectedly
celery@worker-1: Connection reset by peer, retrying in 2.00 seconds...
kafka: offset 17 of topic orders-v2, partition 3, is out of range
Kunde Müller hat keine Anschrift – Bestellung № 4711 nicht versandt
Le client Leroy n’a pas d’adresse : commande 4711 non expédiée
monkey patching took 13 ms; hockey, turkey, donkey
Monitor: cpu=73% mem=812MiB fds=117/1024 threads=12
primary_key=17, foreign_key=4, sort_key=name, cache_key=orders:17
basket = ['apple', 'pear', 'plum']
""".strip("\n").split("\n")
