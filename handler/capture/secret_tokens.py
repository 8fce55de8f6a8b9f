"""Secrets that are known by their own shape: a token's prefix, a key block, a card number, a URL's password.

A token may stand anywhere: alone, in a URL's path, after `%3D`, after the `\\n` of a repr, behind a colour code. The
formats are those that the services document. Every repetition is bounded, or begins only where a token may begin.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

MARK = "[scrubbed]"

Replace = Callable[[re.Match[str]], str]

_BOUNDARY = (
    r"(?:(?<![A-Za-z0-9_\-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})"
    r"|(?<=\[\dm)|(?<=\[\d\dm)|(?<=/bot))"
)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TOKENS = "|".join(
    [
        # Clouds and hosting.
        r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{12,}",
        r"ABSK[A-Za-z0-9+/]{40,}={0,2}",
        r"amzn\.mws\." + _UUID,
        r"AIza[\w\-]{20,}|ya29\.[\w\-]{16,}|GOCSPX-[\w\-]{20,}|1//0[\w\-]{30,}",
        r"[\w~.]{3}\dQ~[\w~.\-]{31,40}",
        r"LTAI[A-Za-z0-9]{12,}|AKID[A-Za-z0-9]{28,}|AQVN[\w\-]{35,38}|YC[\w\-]{38}(?![\w\-])",
        r"t1\.[\w\-]{4,200}={0,2}\.[\w\-]{86}={0,2}",
        r"do[opr]_v1_[a-f0-9]{16,}|dapi[a-f0-9]{32}(?:-\d)?|v1\.0-[a-f0-9]{24}-[a-f0-9]{100,}",
        r"HRKU-AA[\w\-]{40,}|fo1_[\w\-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{60,}={0,3}|sbp_[a-f0-9]{40}",
        r"pscale_(?:tkn|pw|oauth)_[\w.=\-]{32,}|nfp_[A-Za-z0-9_]{36,}|pul-[a-f0-9]{40}|4b1d[A-Za-z0-9]{38}(?!\w)",
        r"hv[sbr]\.[\w\-]{24,}|s\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}(?!\w)",
        r"[A-Za-z0-9]{14}\.atlasv1\.[\w\-=]{60,70}|dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._\-]{40,}",
        # Code, builds, packages.
        r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}",
        r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|soat|agent|imt|oas|ffct)-[\w\-.]{16,}|GR1348941[\w\-]{20,}",
        r"npm_[A-Za-z0-9]{20,}|pypi-[\w\-]{16,}|rubygems_[a-f0-9]{48}|CLOJARS_[a-z0-9]{60}|oy2[a-z0-9]{43}(?!\w)",
        r"dckr_[po]at_[\w\-]{20,}|AKCp[A-Za-z0-9]{60,}|cmVmd[A-Za-z0-9]{50,}|sha256~[\w\-]{43}",
        r"AT[AC]TT3[\w\-=]{60,}|ATBB[\w=]{24,}|lin_(?:api|oauth)_[A-Za-z0-9]{32,}|figd_[\w\-]{30,}",
        r"bkua_[a-z0-9]{40}|CCIP(?:AT|RJ)_\w{20,}|API-[A-Z0-9]{26}(?!\w)|sgp_[\w]{40,}|rdme_[a-z0-9]{60,}",
        r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}|CFPAT-[\w\-]{43}|pnu_[a-z0-9]{36}",
        # Mail, chat, payment, shops.
        r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{8,}|xapp-\d-[A-Za-z0-9\-]{20,}",
        r"\d{5,16}(?::|%(?:25)?3[aA])AA[\w\-]{30,}",
        r"[MNO][\w\-]{22,27}\.[\w\-]{6}\.[\w\-]{25,110}",
        r"SG\.[\w\-]{16,}(?:\.[\w\-]+)?|key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}(?!\w)|xkeysib-[a-f0-9]{64}-\w{16}",
        r"SK[0-9a-f]{32}(?!\w)|EAA[A-Za-z0-9]{30,}|tfp_[\w\-.=]{40,}|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}",
        r"(?:sk|pk|rk)_(?:live|test|prod)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,}",
        r"sq0[a-z]{3}-[\w\-]{22,}|EAAA[\w\-]{22,}|EZ[AT]K[A-Za-z0-9]{54}|FLWSECK(?:_TEST)?-[A-Za-z0-9\-]{12,}",
        r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{16,}|shippo_(?:live|test)_[a-f0-9]{40}|duffel_(?:live|test)_[\w\-=]{43}",
        r"access-(?:sandbox|development|production)-" + _UUID + r"|pat-(?:na|eu)\d-" + _UUID,
        # Models, data, monitoring, the rest.
        r"sk-[A-Za-z0-9_\-]{16,}|hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z]{34}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}",
        r"pplx-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{37,}|pcsk_\w{40,}|lsv2_[ps][tk]_\w{32,}",
        r"sntry[su]_[\w+/=\-]{40,}|NR(?:AK|II|JS|AL|AA)-[A-Za-z0-9\-]{19,}|dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
        r"gl(?:sa|c)_[\w+/=\-]{32,}|pat[A-Za-z0-9]{14}\.[a-f0-9]{64}|ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}",
        r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk|tk-us-[\w\-]{40,}|fio-u-[\w\-=]{40,}|ico-[A-Za-z0-9]{32}|p8e-[a-z0-9]{32}",
        r"AGE-SECRET-KEY-1[0-9A-Z]{50,}|A3-[A-Z0-9]{6}-[A-Z0-9\-]{20,}|ops_eyJ[\w+/=\-]{40,}|tskey-[a-z]+-[\w\-]{16,}",
        r"sl\.[\w\-=.]{100,}|[ps]k\.eyJ[\w\-]{13,}\.[\w\-]+",
        r"eyJ[\w\-]{13,}\.[\w\-]+(?:\.[\w\-]*)?",
    ]
)
_TOKEN = re.compile(f"{_BOUNDARY}(?:{_TOKENS})")

_RUN = re.compile(r"[A-Za-z0-9_\-]{16}[\w.~:%+/=\-]*+")
_PREFIX = 24
"""Characters that may stand between a token's begin and its first run of 16."""
_random = re.compile(r"[A-Z0-9]").search
_START = re.compile(
    r"A(?:[KS]IA|ROA|IDA|BIA|CCA|3T|BSK|Iza|KID|QVN|KCp|T[AC]TT3|TBB|PI-|GE-S|3-)|a(?:mzn\.|pi_org|ccess-[sdp])"
    r"|bkua_|C(?:LOJARS|CIP|FPAT)|cmVmd|d(?:o[opr]_v1|api|p\.[ps]|ckr_|t0|uffel_)|E(?:AA|Z[AT]K)|eyJ"
    r"|f(?:o1_|m[12]|igd_|io-)|FLWSECK|g(?:h[pousr]_|ithub_pat|l[a-z]{1,5}[\-_]|sk_)|G(?:OCSPX|R1348)"
    r"|h(?:v[sbr]\.|f_)|HRKU|ico-|key-|l(?:in_|sv2)|LTAI|n(?:pm_|fp_|tn_)|NR[A-Z]{2}-|o(?:y2|ps_)|PMAK"
    r"|p(?:k[_.]|scale_|ul-|ypi-|nu_|at[A-Za-z0-9]{14}\.|at-|plx-|csk_|8e-)|r(?:k_|ubygems|dme_|e_\w{8}_|8_)"
    r"|s(?:k[\-_.]|bp_|\.[A-Za-z0-9]{24}|ha256~|gp_|hp|hippo_|q0|ntry|ecret_|l\.[\w\-]{40})|S(?:G\.|K[0-9a-f]{32})"
    r"|t(?:1\.|fp_|k-us|skey)|v1\.0-|whsec|x(?:ox|app-|ai-|keysib)|YC|ya29|1//0|4b1d|Q~|_mmk|-us\d|[:A]AA|\.atlasv1"
    r"|[MNO][\w\-]{22,27}\.[\w\-]{6}\."
)
"""How the tokens begin, or a mark within: far cheaper than the tokens themselves."""

_CARD_START = re.compile(r"[2-6](?:[ \-]?[0-9]){12}")


def _classes(members: bytes) -> bytes:
    """Of each byte a `1` where it is one of these, else a blank: what is left to look for is a row of `1`."""
    return bytes(0x31 if byte in members else 0x20 for byte in range(256))


_DIGITS, _ENOUGH_DIGITS = _classes(b"0123456789"), b"1" * 13
_RUNS, _LONG_RUN = _classes((string.ascii_letters + string.digits + "_-").encode()), b"1" * 16


def may_have_shape(text: str, low: str) -> bool:
    """Whether a pattern of `SHAPES` may match, told cheaply; `low` is the text in lower case.

    Each question begins with the one character that most texts do not have.
    """
    if (
        ("k" in low and ("oken" in low or "pikey" in low))
        or ("g" in low and "igest" in low)
        or ("earer" in low or "asic" in low)
        or ("/" in low and ".com/" in low and ("slack" in low or "discord" in low))
        or ("@" in low and "://" in low)
        or ("-" in low and ("-p" in low or "-----b" in low or ("-u" in low and ":" in low)))
        or ("=" in low and "input_value=" in low)
        or ("F" in text and "Failing row" in text)
    ):
        return True
    data = text.encode("utf-8", "surrogatepass")
    if _ENOUGH_DIGITS in data.translate(_DIGITS, b" -") and _CARD_START.search(text) is not None:
        return True
    return _LONG_RUN in data.translate(_RUNS) and _has_token(text)


def _has_token(text: str) -> bool:
    for run in _RUN.finditer(text):
        begin, end = max(0, run.start() - _PREFIX), run.end()
        if (
            _random(text, run.start(), end)
            and _START.search(text, begin, end)
            and _TOKEN.search(text, begin, end)
        ):
            return True
    return False


def whole(match: re.Match[str]) -> str:
    """The whole match is the secret; lines keep their number."""
    return MARK + "\n" * match[0].count("\n")


def value(match: re.Match[str]) -> str:
    """Only the group `value` is the secret."""
    start, end = match.span("value")
    return match[0][: start - match.start()] + MARK + match[0][end - match.start() :]


def _scheme(match: re.Match[str]) -> str:
    """`Basic authentication failed` is a sentence; a real token holds digits, padding or mixed case."""
    text = match["value"]
    inner = text[1:]
    random = any(c.isdigit() for c in text) or text.endswith("=")
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


def _numeric_pair(match: re.Match[str]) -> str:
    """`docker run -u 1000:1000` names a user and a group."""
    plain = match["value"].isdigit() and match["user"].isdigit()
    return match[0] if plain or match["value"].startswith(MARK) else value(match)


def _unmarked(match: re.Match[str]) -> str:
    return match[0] if MARK in match["value"] else value(match)


def _card(match: re.Match[str]) -> str:
    """A card number fulfils Luhn's check; order numbers and times mostly do not."""
    digits = [int(c) for c in match[0] if c.isdigit()]
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits)))
    return MARK if total % 10 == 0 else match[0]


_WITH_SLASH = r"[^\s/\"'<>:@?#]{0,128}:(?!\d{1,5}(?:[/?#\s]|\Z))[^\s\"'<>]{1,512}"
"""A user and a password with a `/` in it: what follows the user's colon is then no port."""
_GAP = r"(?:[\s'\",=]|%20){1,5}"

SHAPES: list[tuple[re.Pattern[str], Replace]] = [
    (re.compile(r"-----BEGIN [^-]{0,64}-----.*?(?:-----END [^-]{0,64}-----|\Z)", re.DOTALL), whole),
    # Databases and brokers: up to the last `@`, for their passwords are often pasted in unencoded.
    (re.compile(rf"(?<!http)(?<!https)(?<!git)(?<!ssh)://({_WITH_SLASH})@(?=[\w\[])"), _userinfo),
    (re.compile(r"://([^\s/\"'<>]{1,512})@"), _userinfo),
    (re.compile(rf"://({_WITH_SLASH})@(?=[\w\[])"), _userinfo),
    (
        re.compile(
            r"\b((?:Bearer|Basic|Digest|Token|ApiKey)(?:\s{1,3}|%20|\+))(?P<value>[\w.~+/=%\-]{8,4096})", re.I
        ),
        _scheme,
    ),
    (_TOKEN, whole),
    (
        re.compile(
            r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]{8,128}"
            r"|discord(?:app)?\.com/api/webhooks/[\w/\-]{8,128}"
        ),
        whole,
    ),
    (re.compile(r"(?<![\d.])[2-6](?:[ \-]?[0-9]){12,18}(?![\d])"), _card),
    # Commands: curl's `-u user:password`, and `-p` of those that take a password there.
    (
        re.compile(
            rf"(?<![\w\-])(?:-[uU]|--(?:proxy-)?user){_GAP}(?P<user>[^\s:'\"/]{{1,80}}):(?P<value>[^\s'\"]{{1,200}})"
        ),
        _numeric_pair,
    ),
    (
        re.compile(
            r"\b(?:sshpass|mysql(?:dump|admin|import)?|mariadb(?:-dump|-admin)?|(?:docker|podman|az|oc)[\s'\",]{1,5}login)\b"
            r"[^\n|;]{0,200}?[\s'\",]-p(?:[\s'\",=]{1,5})?(?P<value>(?!-)[^\s'\",]{1,200})"
        ),
        _unmarked,
    ),
    # pydantic cuts what it was given in the middle: the second half may have lost its name.
    (
        re.compile(r"input_value=[\[{(][^\n]{0,200}?\.\.\.(?P<value>[^\n]{1,200}?)(?=, input_type=)"),
        _unmarked,
    ),
    # Postgres shows the row that it refuses, without the names of its columns.
    (
        re.compile(r"DETAIL:\s{1,4}Failing row contains \((?P<value>[^\n]{1,4096}?)(?=\)(?:\.|\\n|\n|\Z))"),
        _unmarked,
    ),
]
