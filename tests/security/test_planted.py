"""Every planted secret is found wherever it stands; ordinary log lines stay as they are; no pattern is slow."""

from __future__ import annotations

import re
import time

import pytest
from support.ordinary_lines import ORDINARY
from support.planted_secrets import BESIDE_NAME, PLANTED, TOKENS, WITHOUT_NAME, WORDS, Planted

from tocsin.handler.capture.scrub import LIMIT, Scrubber
from tocsin.handler.capture.secret_names import NAMES, bracketed_patterns, named_patterns
from tocsin.handler.capture.secret_sql import scrub_parameters
from tocsin.handler.capture.secret_tokens import SHAPES

S = Scrubber()


def remains(planted: Planted, text: str) -> bool:
    """Whether the secret, or a half of it, is still there."""
    middle = len(planted.secret) // 2
    return any(part in text for part in (planted.secret, planted.secret[:middle], planted.secret[middle:]))


def test_sixty_secrets_stand_in_twelve_surroundings_each() -> None:
    assert len({*TOKENS.values(), *WORDS.values()}) == 60
    assert len(WITHOUT_NAME) == len(BESIDE_NAME) == 12


@pytest.mark.parametrize("where", [*WITHOUT_NAME, *BESIDE_NAME])
def test_every_secret_is_found_in(where: str) -> None:
    left = [one.kind for one in PLANTED if one.where == where and remains(one, S.text(one.text))]
    assert left == []


@pytest.mark.parametrize("where", [*WITHOUT_NAME, *BESIDE_NAME])
def test_every_secret_is_found_in_the_repr_of(where: str) -> None:
    left = [one.kind for one in PLANTED if one.where == where and remains(one, S.text(repr(one.text)))]
    assert left == []


@pytest.mark.parametrize("where", [*WITHOUT_NAME, *BESIDE_NAME])
def test_what_stands_around_a_secret_stays_readable(where: str) -> None:
    for one in PLANTED:
        if one.where == where and where != "percent-encoded JSON":
            scrubbed = S.text(one.text)
            assert scrubbed.count("[scrubbed]") == 1, scrubbed


def test_ordinary_lines_stay_as_they_are() -> None:
    assert [line for line in ORDINARY if S.text(line) != line] == []


def test_ordinary_lines_stay_as_they_are_together() -> None:
    for start in range(0, len(ORDINARY), 7):
        text = "\n".join(ORDINARY[start : start + 7])
        assert S.text(text) == text


STATEMENTS = {
    "an insert": (
        "[SQL: INSERT INTO users (name, password, email) VALUES (?, ?, ?)]\n"
        "[parameters: ('bob', 'hunter2x', 'bob@x')]"
    ),
    "several rows": (
        '[SQL: INSERT INTO users (name, "password") VALUES (%s, %s)]\n'
        "[parameters: [('bob', 'hunter2x'), ('al', \"hunter2x,')\")]]"
    ),
    "rows that are left out": (
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: [('bob', 'hunter2x')"
        "  ... displaying 10 of 100 total bound parameter sets ...  ('al', 'hunter2x')]]"
    ),
    "an update": (
        "[SQL: UPDATE users SET password=?, email=? WHERE users.id = ?]\n[parameters: ('hunter2x', 'bob@x', 7)]"
    ),
    "a condition": (
        "[SQL: SELECT users.id FROM users WHERE users.token IN (?, ?) AND users.name = ?]\n"
        "[parameters: ('a', 'hunter2x', 'bob')]"
    ),
    "numbered placeholders": (
        "[SQL: INSERT INTO users (name, api_key) VALUES ($1::VARCHAR, $2::VARCHAR)]\n"
        "[parameters: ('bob', 'hunter2x')]"
    ),
    "values of a subquery": (
        "[SQL: INSERT INTO users (name, token) SELECT p0::VARCHAR, p1::VARCHAR "
        "FROM (VALUES (%s, %s, 0), (%s, %s, 1)) AS imp_sen(p0, p1, sen_counter)]\n"
        "[parameters: ('bob', 'hunter2x', 'al', 'hunter2x')]"
    ),
    "the row that is refused": (
        "DETAIL:  Failing row contains (1, hunter2x).\n[SQL: INSERT INTO users (id, password) VALUES (?, ?)]\n"
        "[parameters: (1, 'hunter2x')]"
    ),
    "parameters that are cut off": (
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('bob', 'hunter2x"
    ),
    "shortened parameters": (
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n"
        "[parameters: ('bob', 'al' ... 90 parameters truncated ... 'hunter2x')]"
    ),
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_parameter_is_known_by_its_column(kind: str) -> None:
    assert "hunter2x" not in S.text(STATEMENTS[kind])


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_scrubbed_twice_is_scrubbed_once(kind: str) -> None:
    once = S.text(STATEMENTS[kind])
    assert S.text(once) == once


def test_the_other_parameters_stay() -> None:
    scrubbed = S.text(STATEMENTS["an insert"])
    assert "('bob', [scrubbed], 'bob@x')" in scrubbed


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot reach postgres://shop:pa/ss-w0rd@db:5432/shop", "ss-w0rd"),
        ("cannot reach mysql+pymysql://shop:pa#ss?w0/rd@db/shop", "ss?w0"),
        ("mongodb://shop:p@ss/w0rd@db1,db2/shop", "w0rd"),
        ("https://bob:s3cr3t-w0rd@example.org/@anna", "s3cr3t-w0rd"),
        ("https://shop:pa/ss-w0rd@proxy:3128", "ss-w0rd"),
        ("curl -u bob:s3cr3t-w0rd https://example.org", "s3cr3t-w0rd"),
        ("['mysql', '-u', 'root', '-ps3cr3t-w0rd', 'shop']", "s3cr3t-w0rd"),
        ("sshpass -p s3cr3t-w0rd ssh host", "s3cr3t-w0rd"),
        ("argument --pin: invalid int value: 's3cr3t-w0rd'", "s3cr3t-w0rd"),
        ("Settings(password=SecretStr('s3cr3t-w0rd'))", "s3cr3t-w0rd"),
        ("credentials=[('bob', 's3cr3t-w0rd'), ('al', 's3cr3t-w0rd')]", "s3cr3t-w0rd"),
        ("Key (token, email)=(s3cr3t-w0rd, a@b) already exists.", "s3cr3t-w0rd"),
        (
            "[type=missing, input_value={'user': 'bob', 'p...': 's3cr3t-w0rd'}, input_type=dict]",
            "s3cr3t-w0rd",
        ),
        ("DETAIL:  Failing row contains (1, bob, s3cr3t-w0rd).", "s3cr3t-w0rd"),
        ("value='s3cr3t-w0rd', name='DB_PASSWORD'", "s3cr3t-w0rd"),
        ('{"name": "DB_PASSWORD", "value": "correct s3cr3t-w0rd"}', "s3cr3t-w0rd"),
        ("[{'type': 'x', 'loc': ('body', 'pin'), 'msg': 'y', 'input': 48151623}]", "48151623"),
        ("<password type='x'><![CDATA[s3cr3t-w0rd]]></password>", "s3cr3t-w0rd"),
        ("""['{"user":', '"bob",', '"password":', '"s3cr3t-w0rd"}']""", "s3cr3t-w0rd"),
        ("['--pin', 48151623]", "48151623"),
        ("Authorization%3A%20Bearer%20s3cr3t-w0rd", "s3cr3t-w0rd"),
    ],
)
def test_a_secret_of_another_kind_is_found(text: str, secret: str) -> None:
    assert secret not in S.text(text)


@pytest.mark.parametrize("name", ["name", "key", "field", "header"])
def test_a_variable_that_names_its_neighbour_tells_a_secret(name: str) -> None:
    assert S.pairs({name: "'db_password'", "value": "'hunter2x'"})["value"] == "[scrubbed]"


PIECES = [
    "password", "password=", "password='", "password=[", "password=[(", "password=([", "password: a", "password: ",
    "'password', '", "'password', ", "password\n", "password\\n", "password\na\n", "--password ", "-a-password-",
    "password>", "password a>", "password</a>", "password</a> <b>", "name: password, value: ", "password, a:b, ",
    "value='a', ", "value='", "password\ninput_value=", "input_value={", "input_value={...", "password'), ",
    "password'), 'input': '", "(password, ", "password, a)=(", "password: invalid a value: ", "password : a=",
    "authorization: ", "authorization%3A", "%22password%22%3A%22", "&quot;password&quot;", "?sig=", "identified by '",
    "://", "://a:", "://a:b/", "://a:b@", "-----BEGIN ", "Bearer ", "Bearer%20", "eyJ", "eyJaaaaaaaaaaaaaaaa.",
    "sk-", "xoxb-", "a.atlasv1.", "Q~", "1Q~", "123456789:AA", "/bot", "dp.pt.", "MTaaaaaaaaaaaaaaaaaaaaaaaa.",
    "t1.a.", "pk.eyJ", "s.aaaaaaaaaaaaaaaa", "4", "4 ", "4-", "-u ", "-u a:", "--user 'a", "mysql ", "mysql -p",
    "docker login ", "DETAIL: Failing row contains (", "hooks.slack.com/services/", "discord.com/api/webhooks/",
    "[", "](", "'", "a_", "-",
]  # fmt: skip
PATTERNS = [pattern for pattern, _ in [*named_patterns(NAMES), *SHAPES]] + [*bracketed_patterns(NAMES)]


@pytest.mark.parametrize("number", range(len(PATTERNS)))
def test_no_pattern_is_slow_on_text_made_against_it(number: int) -> None:
    pattern = PATTERNS[number]
    for piece in PIECES:
        cost = _cost(pattern, piece, LIMIT)
        assert cost < 0.005 or cost < 9 * _cost(pattern, piece, LIMIT // 4), piece


def _cost(pattern: re.Pattern[str], piece: str, size: int) -> float:
    """Seconds, the best of three."""
    text = (piece * size)[:size]
    best = 1.0
    for _ in range(3):
        start = time.thread_time()
        pattern.sub("", text)
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("piece", ["(", "'", "?, ", "password ", "values (", "(?, ", "', "])
def test_reading_a_statement_is_not_slow(piece: str) -> None:
    def cost(size: int) -> float:
        half = (piece * size)[: size // 2]
        text = f"[SQL: into a (password) values ({half}[parameters: ({half}"
        start = time.thread_time()
        scrub_parameters(text, S.secret_name)
        return time.thread_time() - start

    assert min(cost(LIMIT) for _ in range(3)) < max(0.01, 9 * min(cost(LIMIT // 4) for _ in range(3)))
