"""Forty secrets as programs carry them: (channel, text or name around it, the secret). All are made up."""

from __future__ import annotations

PLANTED: list[tuple[str, str, str]] = [
    ("message", "login failed with password={}", "Tr0ub4dor-7781"),
    ("message", "request had Authorization: Bearer {}", "q9X7zLw2Vb8Rk4Tn6Yp1"),
    ("message", "config is {{'api_key': '{}', 'debug': True}}", "9f8b7c6d5e4f3a2b1c0d"),
    ("message", "connecting to postgresql://shop:{}@db.internal/shop", "pgS3cretWord"),
    ("message", "GET https://api.example.org/v1/orders?access_token={}&page=2", "tok-55cc1b7e9a"),
    ("message", "cookie: sessionid={}; path=/", "s3ss10n-abcdef0123456789"),
    ("message", "stripe says no to {}", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
    ("message", "push rejected for {}", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("message", "card {} was declined", "4111 1111 1111 1111"),
    ("message", "bad jwt {}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
    ("args", "user %s could not log in", "passwd=Sommer2026!x"),
    ("args", "calling %s", "https://bob:Winter-4471@intranet.example.org/report"),
    ("args", "header was %r", "X-Api-Key: 77aa88bb99cc00dd11"),
    ("args", "aws refused %s", "AKIAIOSFODNN7EXAMPLE"),
    ("args", "slack refused %s", "xoxb-263594206564-FGqddMF8t08v8N7Oq4i57vs1"),
    ("args", "posted %s", "https://hooks.slack.com/services/T0001/B0002/XyZ123abcDEF456"),
    ("args", "form was %s", "client_secret=c1i3nt-S3cr3t-55"),
    ("args", "command was %s", "mysql --password hunter2-long-one -u root"),
    ("args", "xml was %s", "<password>xml-pa55-word</password>"),
    ("args", "google refused %s", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    ("exception", "could not open sftp://deploy:{}@files.example.org/", "d3pl0y-Pa55"),
    ("exception", "invalid token='{}'", "tk_77ee66dd55cc"),
    ("exception", "sql: CREATE USER shop IDENTIFIED BY '{}'", "1d3nt1f13d-by"),
    ("exception", "refused: Basic {}", "c2hvcDpoZXNsb2VzdXBlcnNlY3JldA=="),
    (
        "exception",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEA7bqJ0",
    ),
    ("exception", "webhook https://x.example.org/cb?sig={}", "0a1b2c3d4e5f60718293"),
    ("exception", 'smtp login failed: {{"user": "a", "pass": "{}"}}', "sm7p-pa55-w0rd"),
    ("exception", "secret_key = {}", "dj4ng0-s3cr3t-k3y-xyz"),
    ("local", "password", "l0cal-Pa55word-1"),
    ("local", "api_token", "l0cal-T0ken-22"),
    ("local", "SECRET_KEY", "l0cal-S3cret-333"),
    ("local", "authorization", "Token l0cal-4uth-4444"),
    ("local", "credentials", "l0cal-cr3d-55555"),
    ("key", "db_password", "n3sted-Pa55-66"),
    ("key", "Cookie", "sid=n3sted-c00kie-77"),
    ("key", "private_key", "n3sted-pr1v-88"),
    ("value", "redis://:{}@cache:6379/0", "r3dis-Pa55-99"),
    ("value", "Bearer {}", "b34rer-l0cal-1010ABC"),
    ("context", "session_token", "c0ntext-t0ken-1111"),
    ("attribute", "passphrase", "attr-p4ssphrase-1212"),
]
"""`message`: an f-string. `args`: the logged template; of the argument a part is secret.
`exception`: its text. `local`: a variable's name. `key`: in a dictionary. `value`: under a harmless name.
`context`: bound to the handler. `attribute`: of an object in a local variable.
"""


def needle(secret: str) -> bytes:
    """What must be found nowhere: of an argument with words around, the longest part that is the secret."""
    for around in _AROUND:
        secret = secret.removeprefix(around[0]).removesuffix(around[1])
    return secret.encode()


_AROUND = [
    ("passwd=", ""),
    ("https://bob:", "@intranet.example.org/report"),
    ("X-Api-Key: ", ""),
    ("https://hooks.slack.com/services/", ""),
    ("client_secret=", ""),
    ("mysql --password ", " -u root"),
    ("<password>", "</password>"),
    ("Token ", ""),
    ("sid=", ""),
]
