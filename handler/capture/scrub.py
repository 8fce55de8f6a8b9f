"""Secrets out of text and out of named values, before anything is written to disk. Pure; knows no event.

Two ways a secret shows itself: by the name beside it (`password=...`, a header, a local variable) and by its
own shape (a token's prefix, a PEM block, a card number). Text is capped before any pattern sees it, and every
pattern is linear: each repetition is bounded, or begins only where no other match could have begun.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

LIMIT = 4096
"""Characters of one text that are looked at; what is beyond is cut off."""

MARK = "[scrubbed]"
_MARGIN = 256
"""A secret that the cut goes through is not recognised any more: this much before the cut is dropped too."""
_ROUNDS = 8
"""A replacement may bare another secret's edge: so look again until nothing changes."""

# Parts of a name that make its value a secret, compared without `_`, `-` and case.
_NAMES = (
    r"password|passwd|passphrase|passcode|pwd|secret|token|api[_-]?key|access[_-]?key|private|credential"
    r"|authorization|cookie|session|csrf|xsrf|signing[_-]?key|encryption[_-]?key|master[_-]?key|ssh[_-]?key"
    r"|account[_-]?key|auth[_-]?key|mot[_-]?de[_-]?passe|(?<![a-z])(?:pass|auth|mdp|otp|cvv|cvc|pin|jwt|sid)(?![a-z])"
)
_OTHER_NAME = re.compile(r"identified\s|[?&](?:sig|key|code)")
_HARMLESS = frozenset({"", "None", "null", "True", "False", "true", "false", "...", MARK, repr(MARK)})
_NAMES_KEPT = 4096


class Scrubber:
    """Takes secrets out. `extra_names`: more substrings of names whose values are secrets."""

    def __init__(self, extra_names: Iterable[str] = ()) -> None:
        extra = [re.escape(name.lower()) for name in extra_names if name.strip()]
        names = "|".join([_NAMES, *extra])
        self._name = re.compile(names)
        self._extra = tuple(name.lower() for name in extra_names if name.strip())
        self._named = _named_patterns(names)
        self._assigned = [pattern for pattern, _ in self._named if "(?P<q>" in pattern.pattern]
        self._known: dict[str, bool] = {}

    def secret_name(self, name: str) -> bool:
        """Is the value under this name a secret, whatever it looks like?"""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _NAMES_KEPT:
                self._known.clear()
            known = self._name.search(_snake(name[:_MARGIN])) is not None
            self._known[name] = known
        return known

    def text(self, text: str) -> str:
        """`text` without its secrets, each replaced by `[scrubbed]`; at most about `LIMIT` characters."""
        if len(text) > LIMIT:
            return self.text(text[:LIMIT])[:-_MARGIN] + "…"
        return text if innocent(text) else self.searched(text)

    def searched(self, text: str) -> str:
        """As `text`, of one that is no longer than `LIMIT` and not `innocent`."""
        lowered = text.lower()
        if not (self._may_be_named(lowered) or _may_have_shape(text, lowered)):
            return text
        for _ in range(_ROUNDS):
            before, text = text, self._once(text)
            if text is before or text == before:
                break
        return text

    def _once(self, text: str) -> str:
        lowered = text.lower()
        if self._may_be_named(lowered):
            for pattern, replace in self._named:
                text = pattern.sub(replace, text)
        if _may_have_shape(text, lowered):
            for pattern, replace in _SHAPES:
                text = pattern.sub(replace, text)
        return text

    def code(self, source: str) -> str:
        """Source code without the secrets in its literals; names, calls and placeholders stay readable."""
        lowered = source.lower()
        if not (self._may_be_named(lowered) or _may_have_shape(source, lowered)):
            return source
        for pattern in self._assigned:
            source = pattern.sub(_unless_placeholder, source)
        return self.literal(_LITERAL.sub(lambda found: self.literal(found[0]), source), named=False)

    def literal(self, text: str, *, named: bool = True) -> str:
        """The text of a literal or a template without secrets; what is filled in later stays."""
        if named:
            for pattern, _ in self._named:
                text = pattern.sub(_unless_placeholder, text)
        for pattern, replace in _SHAPES:
            text = pattern.sub(replace, text)
        return text

    def pairs(self, pairs: Mapping[str, str]) -> dict[str, str]:
        """Named texts without their secrets: by the name, else by what the text holds."""
        out = dict(pairs)
        joined = "\n".join(pairs.values())
        lowered = joined.lower()
        clean = len(joined) <= LIMIT and not (self._may_be_named(lowered) or _may_have_shape(joined, lowered))
        secret_name = self.secret_name
        for name, text in pairs.items():
            if secret_name(name):
                out[name] = text if text in _HARMLESS else MARK
            elif not clean:
                out[name] = self.text(text)
        return out

    def _may_be_named(self, low: str) -> bool:
        """A cheap look, so that clean text costs next to nothing: no hint, no pattern."""
        if not (
            "=" in low or ":" in low or "'" in low or '"' in low or ">" in low or "--" in low or "%3" in low
        ):
            return False
        hint = (
            ("pass" in low or "pwd" in low or "secret" in low or "token" in low or "key" in low)
            or ("auth" in low or "cookie" in low or "session" in low or "srf" in low or "private" in low)
            or ("credential" in low or "mdp" in low or "otp" in low or "cv" in low or "pin" in low)
            or ("jwt" in low or "sid" in low or "identified" in low or "sig=" in low or "code=" in low)
            or (self._extra and any(name in low for name in self._extra))
        )
        return bool(hint) and (self._name.search(low) is not None or _OTHER_NAME.search(low) is not None)


_PLAIN = r"[a-z\s,.;!?()\[\]#*\x80-\U0010ffff]*+"
_innocent = re.compile(rf".?{_PLAIN}(?:[0-9]{{1,6}}+{_PLAIN}){{0,2}}+", re.DOTALL).fullmatch


def innocent(text: str) -> bool:
    """Whether nothing here can be a secret, told as cheaply as it can be: most messages are such.

    Words in lower case (but for the first letter) and fewer digits than a card number has. A name needs a
    sign beside it; a token needs signs, capitals, or `Bearer` and its like in front.
    """
    return _innocent(text) is not None and not (
        ("earer" in text or "asic" in text or "igest" in text)
        or ("oken" in text or "pikey" in text or "ya29" in text)
    )


def _snake(name: str) -> str:
    """`apiKey` and `API-Key` as `api_key`: parts told apart, lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_Replace = Callable[[re.Match[str]], str]


def _value(match: re.Match[str]) -> str:
    """Keep what comes before the value, and the value's quotes."""
    value = match["value"]
    if value in _HARMLESS or value.startswith(MARK[:-1]):
        return match[0]
    start, end = match.span("value")
    return match[0][: start - match.start()] + MARK + match[0][end - match.start() :]


_LITERAL = re.compile(r"\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\\\n]|\\.){0,4096}'")
_PLACEHOLDER = re.compile(r"%(?:\(\w{1,40}\))?[-+#0-9.]{0,8}[sdrfxig](?!\w)|\{[\w.\[\]]{0,80}(?:[!:}]|\Z)|\*")


def _unless_placeholder(match: re.Match[str]) -> str:
    """In source code `password=%s` and `{token}` are no secrets: what fills them in comes later."""
    value = match["value"]
    open_quote = "q" in match.re.groupindex and match["q"] != match.string[match.end() : match.end() + 1]
    if open_quote or _PLACEHOLDER.search(value) or not any(map(str.isalnum, value)):
        return match[0]
    return _value(match)


def _named_patterns(names: str) -> list[tuple[re.Pattern[str], _Replace]]:
    """The patterns of a secret beside its name. Each starts at the name itself: nothing quadratic."""
    name = rf"(?:{names})"
    tail = r"[\w.\-]{0,40}"
    quote = r"\\{0,3}[\"']"
    quoted = r"(?P<q>\\{0,3}[\"'])(?P<value>(?:(?!(?P=q))[^\n]){0,4096})"
    bare = r"(?P<value>[^\s,;&\"'<>(){}\[\]\\]{1,4096}|[\[({][^\[\](){}]{1,4096})"
    separator = r"[\])]?\s{0,3}(?:=>|:=|[:=]|%3[dDaA])\s{0,3}"
    headers = r"(?:authorization|cookie)"
    texts = [
        # A header: everything up to the end of the line or of the quotes around it.
        rf"{headers}{tail}(?:{quote})?{separator}(?:b?{quote})?(?P<value>Digest\s[^\n]{{1,4096}}|[^\n\"'\\]{{1,4096}})",
        rf"{name}{tail}(?:{quote})?{separator}[bur]?{quoted}",
        rf"{name}{tail}(?:{quote})?{separator}{bare}",
        rf"\(\s{{0,3}}b?[\"'][\w.\-]{{0,40}}?{name}{tail}[\"']\s{{0,3}},\s{{0,3}}b?{quoted}",
        rf"{name}{tail}>(?P<value>[^<>]{{1,4096}})</",
        rf"{name}{tail}[\"']\s{{1,3}}(?:value|content)\s{{0,3}}=\s{{0,3}}{quoted}",
        rf"--[\w\-]{{0,40}}?{name}[\w\-]{{0,40}}\s{{1,3}}(?P<value>[^\s\-][^\s\"']{{0,4096}})",
        rf"(?:password|passwd|identified\s{{1,3}}by)\s{{1,3}}{quoted}",
        r"[?&](?:sig|signature|x-amz-signature|key|code|auth)=(?P<value>[^\s&\"'<>\\\[]{8,4096})",
    ]
    return [(re.compile(text, re.IGNORECASE), _value) for text in texts]


_WORD = r"(?<![A-Za-z0-9_\-])"
_TOKENS = "|".join(
    [
        r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}",
        r"sk-[A-Za-z0-9_\-]{16,}",
        r"gh[pousr]_[A-Za-z0-9]{16,}",
        r"github_pat_\w{16,}",
        r"glpat-[\w\-]{16,}",
        r"xox[a-z]-[A-Za-z0-9\-]{8,}",
        r"AIza[\w\-]{20,}",
        r"ya29\.[\w\-]{16,}",
        r"SG\.[\w\-]{16,}(?:\.[\w\-]+)?",
        r"npm_[A-Za-z0-9]{20,}",
        r"pypi-[\w\-]{16,}",
        r"dop_v1_[a-f0-9]{16,}",
        r"hf_[A-Za-z0-9]{20,}",
        r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{16,}",
        r"whsec_[A-Za-z0-9+/=]{16,}",
        r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}",
        r"eyJ[\w\-]{5,}\.[\w\-]+(?:\.[\w\-]*)?",
        r"\d{8,10}:AA[\w\-]{30,}",
    ]
)


def _whole(match: re.Match[str]) -> str:
    return MARK


def _scheme(match: re.Match[str]) -> str:
    """`Basic authentication failed` is a sentence; a real token holds digits, padding or mixed case."""
    value = match["value"]
    inner = value[1:]
    random = any(c.isdigit() for c in value) or value.endswith("=")
    mixed = inner != inner.lower() and inner != inner.upper()
    return match[1] + MARK if random or mixed else match[0]


def _userinfo(match: re.Match[str]) -> str:
    """`user:password@` keeps the user; a lone user stays, unless it is as long as a token."""
    user, colon, _password = match[1].partition(":")
    if MARK in match[1]:
        return match[0]
    if colon:
        return f"://{user}:{MARK}@"
    return f"://{MARK}@" if len(user) >= 16 else match[0]


def _card(match: re.Match[str]) -> str:
    """A card number fulfils Luhn's check; order numbers and times mostly do not."""
    digits = [int(c) for c in match[0] if c.isdigit()]
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits)))
    return MARK if total % 10 == 0 else match[0]


_CARD_START = re.compile(r"[0-9]{4}[ \-]?[0-9]{4}")


_SHAPES: list[tuple[re.Pattern[str], _Replace]] = [
    (re.compile(r"-----BEGIN [^-]{0,64}-----.*?(?:-----END [^-]{0,64}-----|\Z)", re.DOTALL), _whole),
    (re.compile(r"://([^\s/\"'<>]{1,512})@"), _userinfo),
    (
        re.compile(r"\b((?:Bearer|Basic|Digest|Token|ApiKey)\s{1,3})(?P<value>[\w.~+/=\-]{8,4096})", re.I),
        _scheme,
    ),
    (re.compile(rf"{_WORD}(?:{_TOKENS})"), _whole),
    (
        re.compile(
            r"hooks\.slack\.com/services/[\w/]{8,128}|discord(?:app)?\.com/api/webhooks/[\w/\-]{8,128}"
        ),
        _whole,
    ),
    (re.compile(r"(?<![\d.])[2-6](?:[ \-]?[0-9]){12,18}(?![\d])"), _card),
]


def _may_have_shape(text: str, low: str) -> bool:
    return (
        "://" in low
        or ("earer" in low or "asic" in low or "igest" in low or "oken" in low or "pikey" in low)
        or ("AIza" in text or "ya29" in text or "SG." in text or "eyJ" in text or ":AA" in text)
        or ("AKIA" in text or "ASIA" in text or "AROA" in text or "AIDA" in text)
        or ("_" in text and _has_underscored(text))
        or (
            "-" in text
            and ("sk-" in text or "glpat" in text or "xox" in text or "pypi" in text or "-----B" in text)
        )
        or (".com/" in low and ("slack" in low or "discord" in low))
        or _CARD_START.search(text) is not None
    )


def _has_underscored(text: str) -> bool:
    return (
        ("k_live" in text or "k_test" in text or "github_" in text or "npm_" in text or "hf_" in text)
        or ("ghp_" in text or "gho_" in text or "ghu_" in text or "ghs_" in text or "ghr_" in text)
        or ("shp" in text or "whsec" in text or "dop_" in text)
    )
