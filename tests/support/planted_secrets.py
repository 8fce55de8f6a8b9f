"""Sixty secrets, each planted in twelve surroundings: tokens by their shape alone, words by the name beside them.

The tokens' formats are facts: the services document them, public secret scanners list them. Their random part is
drawn from a fixed seed, so that no tool takes this file for a leak.
"""

from __future__ import annotations

import random
from typing import NamedTuple

_random = random.Random(20)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_HEX = _DIGITS + "abcdef"
_ALNUM = _LETTERS + _DIGITS
_CAPITALS = _LETTERS[:26] + "234567"


def _draw(alphabet: str, length: int) -> str:
    return "".join(_random.choice(alphabet) for _ in range(length))


def _uuid() -> str:
    return "-".join(_draw(_HEX, length) for length in (8, 4, 4, 4, 12))


TOKENS: dict[str, str] = {
    "aws access key": "AKIA" + _draw(_CAPITALS, 16),
    "aws session key": "ASIA" + _draw(_CAPITALS, 16),
    "google api key": "AIza" + _draw(_ALNUM, 35),
    "google oauth secret": "GOCSPX-" + _draw(_ALNUM, 28),
    "google access token": "ya29." + _draw(_ALNUM, 60),
    "azure client secret": _draw(_ALNUM, 3) + "8Q~" + _draw(_ALNUM, 34),
    "alibaba": "LTAI" + _draw(_ALNUM, 20),
    "digitalocean": "dop_v1_" + _draw(_HEX, 64),
    "databricks": "dapi" + _draw(_HEX, 32),
    "planetscale": "pscale_tkn_" + _draw(_ALNUM, 43),
    "vault": "hvs." + _draw(_ALNUM, 95),
    "terraform": _draw(_ALNUM, 14) + ".atlasv1." + _draw(_ALNUM, 67),
    "doppler": "dp.pt." + _draw(_ALNUM, 43),
    "github": "ghp_" + _draw(_ALNUM, 36),
    "github app": "ghs_" + _draw(_ALNUM, 36),
    "github fine-grained": "github_pat_" + _draw(_ALNUM, 22) + "_" + _draw(_ALNUM, 59),
    "gitlab": "glpat-" + _draw(_ALNUM, 20),
    "gitlab runner": "glrt-" + _draw(_ALNUM, 20),
    "npm": "npm_" + _draw(_ALNUM, 36),
    "pypi": "pypi-AgEIcHlwaS5vcmc" + _draw(_ALNUM, 60),
    "rubygems": "rubygems_" + _draw(_HEX, 48),
    "docker hub": "dckr_pat_" + _draw(_ALNUM, 27),
    "atlassian": "ATATT3" + _draw(_ALNUM, 186),
    "linear": "lin_api_" + _draw(_ALNUM, 40),
    "postman": "PMAK-" + _draw(_HEX, 24) + "-" + _draw(_HEX, 34),
    "slack bot": "xoxb-" + _draw(_DIGITS, 12) + "-" + _draw(_DIGITS, 12) + "-" + _draw(_ALNUM, 24),
    "slack app": "xapp-1-" + _draw(_CAPITALS, 11) + "-" + _draw(_DIGITS, 13) + "-" + _draw(_HEX, 64),
    "telegram": _draw("123456789", 9) + ":AA" + _draw(_ALNUM, 33),
    "discord": "MT" + _draw(_ALNUM, 24) + ".G" + _draw(_ALNUM, 5) + "." + _draw(_ALNUM, 38),
    "sendgrid": "SG." + _draw(_ALNUM, 22) + "." + _draw(_ALNUM, 43),
    "mailgun": "key-" + _draw(_HEX, 32),
    "mailchimp": _draw(_HEX, 32) + "-us14",
    "twilio": "SK" + _draw(_HEX, 32),
    "stripe": "sk_" + "live_" + _draw(_ALNUM, 24),
    "square": "sq0atp-" + _draw(_ALNUM, 22),
    "shopify": "shpat_" + _draw(_HEX, 32),
    "openai": "sk-proj-" + _draw(_ALNUM, 48),
    "anthropic": "sk-ant-api03-" + _draw(_ALNUM, 93) + "AA",
    "hugging face": "hf_" + _draw(_ALNUM, 34),
    "grafana": "glsa_" + _draw(_ALNUM, 32) + "_" + _draw(_HEX, 8),
    "new relic": "NRAK-" + _draw(_CAPITALS, 27),
    "hubspot": "pat-na1-" + _uuid(),
    "airtable": "pat" + _draw(_ALNUM, 14) + "." + _draw(_HEX, 64),
    "jwt": "eyJ" + _draw(_ALNUM, 33) + ".eyJ" + _draw(_ALNUM, 40) + "." + _draw(_ALNUM, 43),
}
"""By service: tokens that their own shape gives away."""

WORDS: dict[str, str] = {
    "password": "Tr0ub4dor&3",
    "passwd": "correct.horse.7",
    "DB_PASSWORD": "pgS3cret+Word",
    "user_password": "Sommer2026!",
    "passphrase": "0pen.Sesame",
    "api_key": _draw(_HEX, 24),
    "X-Api-Key": _draw(_ALNUM, 20),
    "client_secret": "c1i3nt~S3cr3t",
    "secret_key": "dj4ngo@!s3cret",
    "access_token": _draw(_ALNUM, 18),
    "refresh-token": _draw(_ALNUM, 30),
    "csrf_token": _draw(_ALNUM, 32),
    "sessionid": _draw(_HEX, 26),
    "private_key": _draw(_ALNUM, 40),
    "aws_secret_access_key": "wJalr" + _draw(_ALNUM, 30) + "/K7",
    "encryption_key": _draw(_ALNUM, 32),
}
"""By name: secrets that look like anything."""

WITHOUT_NAME: dict[str, str] = {
    "a sentence": "the service refused {} for this host",
    "the path of a URL": "POST https://api.example.org/bot{}/sendMessage failed",
    "JSON": '{{"id": 7, "payload": "{}", "page": 2}}',
    "a query": "GET https://example.org/cb?state=7&v={}&page=2 returned 500",
    "percent-encoded": "redirect%3Fv%3D{}%26page%3D2",
    "a command line": "command '['deploy', '--with', '{}', '--now']' returned non-zero exit status 1",
    "a repr with line ends": "'first line\\n{}\\nthird line'",
    "bytes": "b'GET /x HTTP/1.1\\r\\nX-Custom: {}\\r\\n\\r\\n'",
    "a header": "Authorization: {}",
    "a coloured terminal": "\x1b[31m{}\x1b[0m was refused",
    "XML": '<entry kind="x"><item>{}</item></entry>',
    "a basket of brackets": "Client(region='eu', owner=('shop', ['{}']))",
}
BESIDE_NAME: dict[str, str] = {
    "a pair": "login failed with {name}={secret}",
    "JSON": '{{"user": "bob", "{name}": "{secret}", "page": 2}}',
    "JSON in JSON": r'{{"body": "{{\"user\": \"bob\", \"{name}\": \"{secret}\"}}"}}',
    "percent-encoded JSON": "%7B%22user%22%3A%22bob%22%2C%22{name}%22%3A%22{secret}%22%7D",
    "items of a command": "Command '["
    "'deploy', '--user', 'bob', '--{name}', '{secret}']' returned non-zero exit status 1.",
    "items of a mapping": "dict_items([('user', 'bob'), ('{name}', '{secret}')])",
    "a list of pairs": "[['user', 'bob'], ['{name}', '{secret}']]",
    "two lines": "user\nbob\n{name}\n{secret}\nend",
    "a record of name and value": "- name: {name}\n  value: {secret}\n- name: PORT\n  value: 80",
    "pydantic": "1 validation error for Settings\n{name}\n  Value error, too weak "
    "[type=value_error, input_value='{secret}', input_type=str]\n    For further information visit https://errors.pydantic.dev/2/v/value_error",
    "a list of errors": "[{{'type': 'string_too_short', "
    "'loc': ('body', '{name}'), 'msg': 'too short', 'input': '{secret}'}}]",
    "XML": "<property><name>{name}</name><value>{secret}</value></property>",
}


class Planted(NamedTuple):
    """A text with a secret in it."""

    kind: str
    where: str
    text: str
    secret: str


PLANTED: list[Planted] = [
    *(
        Planted(kind, where, around.format(token), token)
        for where, around in WITHOUT_NAME.items()
        for kind, token in TOKENS.items()
    ),
    *(
        Planted(name, where, around.format(name=name, secret=secret), secret)
        for where, around in BESIDE_NAME.items()
        for name, secret in WORDS.items()
    ),
]
