"""Secrets that are known by the name beside them, however the name and the value stand to each other.

`name=value` and its relatives (JSON, YAML, headers, queries, XML, options of a command); neighbours in a list, a
tuple or two lines; a record of a name and a value; the errors of pydantic and FastAPI. Every pattern starts at the
name itself and bounds what follows, so that none is quadratic.
"""

from __future__ import annotations

import re

from tocsin.handler.capture.secret_tokens import MARK, Replace, value

# Parts of a name that make its value a secret, compared without `_`, `-` and case.
NAMES = (
    r"password|passwd|passphrase|passcode|pwd|secret|token|api[_-]?key|access[_-]?key|private|credential"
    r"|authorization|cookie|session|csrf|xsrf|signing[_-]?key|encryption[_-]?key|master[_-]?key|ssh[_-]?key"
    r"|account[_-]?key|auth[_-]?key|mot[_-]?de[_-]?passe|(?<![a-z])(?:pass|auth|mdp|otp|cvv|cvc|pin|jwt|sid)(?![a-z])"
)
OTHER_NAME = re.compile(r"identified\s|[?&](?:sig|key|code)")
HARMLESS = frozenset({"", "None", "null", "True", "False", "true", "false", "...", "?", MARK, repr(MARK)})

_QUOTE = r"(?:\\{0,3}[\"']|%2[27]|&(?:quot|apos|#34|#39|#x27);)"
_QUOTED = rf"(?P<q>{_QUOTE})(?P<value>(?:(?!(?P=q))[^\n]){{0,4096}})"
_LINE_END = r"(?:\r?\n|\\r\\n|\\n)"
_BLANK = r"(?:\s|\\[nrt]|%20)"
_SEPARATOR = rf"[\])]?{_BLANK}{{0,3}}(?:=>|:=|==|!=|[:=]|%(?:25)?3[dDaA]){_BLANK}{{0,3}}"
_TAIL = r"[\w.\-]{0,40}"
_NESTED = r"[\[({](?:[^\[\](){}\n]|[\[({](?:[^\[\](){}\n]|[\[({][^\[\](){}\n]{0,400}+[\])}]){0,800}+[\])}]){1,4096}+"
_BARE = rf"(?P<value>[^\s,;&\"'<>(){{}}\[\]\\]{{1,4096}}|{_NESTED})"
_WRAPPER = r"(?:[\w.]{0,30}(?:secret|str|bytes|bytearray|password|token)\w{0,10}\(\s?)?"
_NEXT_ITEM = rf"(?:{_QUOTE}\s{{0,3}},\s{{0,3}}(?={_QUOTE}))?"
"""A text was split at its blanks: the name ends one item of a list, the value is the next."""
_PREFIX = r"[bBuUrRfF]{0,2}"

_FIELD_NAME = re.compile(r"[a-z]+(?:_[a-z]+)*").fullmatch
_WORD_BEFORE = 44


def shown_value(match: re.Match[str]) -> str:
    """The match without its value; what comes before it and the value's quotes stay."""
    text = match["value"]
    if text in HARMLESS or text.startswith(MARK[:-1]):
        return match[0]
    return value(match)


def _neighbour(match: re.Match[str]) -> str:
    """The item after a name. In a longer list a plain word may be the next field's name: it stays."""
    before, first = _start_of_word(match)
    if not before or before not in "\"'":
        return match[0]
    string, end = match.string, match.end()
    opening = string[max(0, first - 3) : first - 1].rstrip("bu\\ ")[-1:]
    closing = string[end : end + 3].lstrip("\\\"'")[:1]
    option = string[first] == "-"
    pair = opening == "(" or (opening == "[" and closing in "])")
    if not (option or pair) and _FIELD_NAME(match["value"]):
        return match[0]
    if option and match["value"].startswith("-"):
        return match[0]
    return shown_value(match)


def _line_below(match: re.Match[str]) -> str:
    """The only word of the line below a line that is the name alone."""
    before, _first = _start_of_word(match)
    alone = before in "\n\\\"'" or before == ""
    return shown_value(match) if alone and not _FIELD_NAME(match["value"]) else match[0]


def _start_of_word(match: re.Match[str]) -> tuple[str, int]:
    """(the character before the word that the match begins in, where the word begins)."""
    string, at = match.string, match.start()
    least = max(0, at - _WORD_BEFORE)
    while at > least and (string[at - 1].isalnum() or string[at - 1] in "_.-"):
        at -= 1
    return string[at - 1 : at], at


Patterns = list[tuple[str, Replace]]


def named_patterns(names: str) -> list[tuple[re.Pattern[str], Replace]]:
    """The patterns for values under `names` (an alternation), each with what replaces a match."""
    name = rf"(?:{names})"
    patterns = [
        *_assigned(name),
        *_neighbours_and_records(name),
        *_markup_and_options(name),
        *_rejected(name),
    ]
    return [(re.compile(text, re.IGNORECASE), replace) for text, replace in patterns]


def _assigned(name: str) -> Patterns:
    """`name=value` and its relatives; a header first: it goes on up to the end of the line."""
    headers = r"(?:authorization|cookie)"
    return [
        # A header: everything up to the end of the line or of the quotes around it.
        (
            rf"{headers}{_TAIL}(?:{_QUOTE})?{_SEPARATOR}(?:b?{_QUOTE})?"
            r"(?P<value>Digest\s[^\n]{1,4096}|[^\n\"'\\]{1,4096})",
            shown_value,
        ),
        (rf"{name}{_TAIL}(?:{_QUOTE})?:\s{{0,3}}invalid [\w ]{{1,40}} value:\s{{0,3}}{_QUOTED}", shown_value),
        (rf"{name}{_TAIL}(?:{_QUOTE})?{_SEPARATOR}{_NEXT_ITEM}{_WRAPPER}{_PREFIX}{_QUOTED}", shown_value),
        (rf"{name}{_TAIL}\s{{0,2}}:\s{{0,2}}[\w.\[\]| ]{{1,60}}=\s{{0,3}}{_PREFIX}{_QUOTED}", shown_value),
        (rf"{name}{_TAIL}(?:{_QUOTE})?{_SEPARATOR}{_BARE}", shown_value),
    ]


def _neighbours_and_records(name: str) -> Patterns:
    """Neighbours in a list or a tuple; a record of a name and a value, in either order."""
    field = rf"{_QUOTE}?\w{{1,20}}{_QUOTE}?\s?[:=]\s?{_QUOTE}?[\w.\-]{{0,40}}{_QUOTE}?[\s,;&|]{{1,20}}"
    record = (
        rf"{name}{_TAIL}{_QUOTE}?(?:{_BLANK}|[,;&|]){{1,40}}"
        rf"(?:{field}){{0,2}}(?:{_QUOTE}\s{{0,8}})?(?:value|val|content|data)"
    )
    assigned = rf"{_QUOTE}?\s{{0,3}}(?:[:=]|=>|%3[dDaA])\s{{0,3}}"
    return [
        (rf"{name}{_TAIL}[:=]?\s?{_QUOTE}\s{{0,3}},\s{{0,3}}b?{_QUOTED}", _neighbour),
        (rf"{name}{_TAIL}{_QUOTE}\s{{0,3}},\s{{0,3}}(?P<value>\d[\d.\-]{{1,40}})", _neighbour),
        (rf"{record}{assigned}b?{_QUOTED}", shown_value),
        (rf"{record}{assigned}{_BARE}", shown_value),
        (
            rf"\bvalue{_QUOTE}?\s{{0,3}}[:=]\s{{0,3}}b?{_QUOTED}(?P=q)[\s,;]{{1,20}}"
            rf"{_QUOTE}?(?:name|key|field){_QUOTE}?\s{{0,3}}[:=]\s{{0,3}}{_QUOTE}?[\w.\-]{{0,40}}?{name}",
            shown_value,
        ),
    ]


def _markup_and_options(name: str) -> Patterns:
    """Tags, options of a command, SQL, queries, and a name alone in the line above."""
    return [
        (
            rf"{name}{_TAIL}(?:\s[^<>\n]{{0,100}})?>(?:<!\[CDATA\[)?(?P<value>[^<>]{{1,4096}})(?:</|\]>)",
            shown_value,
        ),
        (rf"{name}{_TAIL}</\w{{1,20}}>\s{{0,20}}<\w{{1,20}}>(?P<value>[^<>]{{1,4096}})</", shown_value),
        (
            rf"(?<![\w\-])--?[\w\-]{{0,40}}?{name}[\w\-]{{0,40}}\s{{1,3}}(?P<value>[^\s\-][^\s\"']{{0,4096}})",
            shown_value,
        ),
        (rf"(?:password|passwd|identified\s{{1,3}}by)\s{{1,3}}{_QUOTED}", shown_value),
        (
            r"[?&#](?:sig|signature|x-amz-signature|key|code|auth)=(?P<value>[^\s&\"'<>\\\[]{8,4096})",
            shown_value,
        ),
        (rf"{name}[\w.]{{0,40}}\s?,[\w., ]{{0,80}}\)=\((?P<value>[^)\n]{{1,1000}})", shown_value),
        (
            rf"{name}{_TAIL}:?[ \t]{{0,4}}{_LINE_END}[ \t]{{0,8}}"
            r"(?P<value>[^\s\"'\\]{1,200})(?=[ \t]{0,4}(?:\n|\\|[\"']|\Z))",
            _line_below,
        ),
    ]


def _rejected(name: str) -> Patterns:
    """A value that pydantic or FastAPI did not accept, as they show it."""
    return [
        # pydantic names the field on one line and shows what it was given on the next.
        (
            rf"{name}{_TAIL}{_LINE_END}[^\n]{{0,400}}?input_value=(?P<value>[^\n]{{1,1000}}?)(?=, input_type=|\]|\Z)",
            shown_value,
        ),
        # Its list of errors, as FastAPI writes it: the place, then the input.
        (
            rf"{name}{_TAIL}{_QUOTE}\s?,?\s?[\])][^{{}}\n]{{0,400}}?{_QUOTE}input{_QUOTE}\s?:\s?{_PREFIX}{_QUOTED}",
            shown_value,
        ),
        (
            rf"{name}{_TAIL}{_QUOTE}\s?,?\s?[\])][^{{}}\n]{{0,400}}?{_QUOTE}input{_QUOTE}\s?:\s?{_BARE}",
            shown_value,
        ),
    ]


def bracketed_patterns(names: str) -> tuple[re.Pattern[str], ...]:
    """In source code: a name and the literals given under it together, such as `auth=("user", "password")`.

    The canonical form of a statement has lost the parentheses: `auth="user","password"`.
    """
    named = rf"(?:{names}){_TAIL}(?:{_QUOTE})?"
    literal = r"\"(?:[^\"\\\n]|\\.){0,400}+\""
    return (
        re.compile(rf"{named}{_SEPARATOR}[\[({{](?P<value>[^\[\](){{}}]{{1,400}})", re.IGNORECASE),
        re.compile(rf"{named}=(?P<value>{literal}(?:,{literal}){{1,20}}+)(?![:=])", re.IGNORECASE),
    )
