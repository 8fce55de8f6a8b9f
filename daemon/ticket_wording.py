"""What a ticket's history and its watch say, in the reader's language: facts in, a sentence out.

Knows no database. Facts are what the columns `support_ticket_history.details` and `watches.waiting` hold; the
English sentence is also kept beside them, for those who read the tables with SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin.daemon.language import Language, language
from tocsin.daemon.reason import Reason

Facts = Mapping[str, Any]


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated where it is said."""
    return text


ENGLISH = language("en")

_WAITING = {
    "passing_tests": _("a correction whose tests pass: the last validation failed"),
    "duration": _("the full time without the error"),
    "backlog": _("errors that process %(pid)s on %(host)s may still hold back"),
    "run": _("a run that begins and ends in order without the error"),
    "seen_alive": _("the application to be seen alive long enough"),
    "not_exercised": _("a run of %(name)s: not exercised yet"),
    "loss": _("the full time since events of the service were lost: this error may have been among them"),
    "program": _("%(name)s, which logged the error, to be seen alive long enough"),
    "logger": _("the logger %(name)s, which logged the error: its errors do not reach the handler now"),
    "release": _("the release %(name)s, which has the correction, to be out"),
    "hand": _("a person to close it: the evidence is complete"),
    "chance": _("a longer silence: this one is still likely without any correction"),
}
_UNKNOWN_RUNS = {
    "no_monitoring": _("Python older than 3.12 cannot count them"),
    "no_tool": _("other tools use all of sys.monitoring"),
    "no_function": _("there is no such function any more, or it cannot be told which"),
    "running": _("a call that began before goes on"),
    "not_told": _("a process does not tell them"),
}
_STATES = {
    "open": _("open"),
    "in_progress": _("in_progress"),
    "monitoring": _("monitoring"),
    "closed": _("closed"),
    "low": _("low"),
    "medium": _("medium"),
    "high": _("high"),
    "critical": _("critical"),
}
_MAILS = {
    "detection": _("detection"),
    "notice": _("notice"),
    "closing": _("closing"),
    "reopened": _("reopened"),
    "reappeared": _("reappeared"),
    "validated": _("validated"),
    "validation_failed": _("validation_failed"),
    "ready": _("ready to be closed"),
    "inconclusive": _("inconclusive"),
    "old_code": _("old_code"),
    "reminder": _("reminder"),
    "more_frequent": _("more_frequent"),
    "weekly": _("weekly report"),
    "received": _("confirmation"),
    "message": _("message"),
    "digest": _("digest"),
}
_WRITTEN = {"client": _("written by the client"), "team": _("written to the client")}
_SENT = {
    ("client", False): _("%(kind)s mail to the client %(recipient)s"),
    ("admin", False): _("%(kind)s mail to the admin %(recipient)s"),
    ("client", True): _("%(kind)s mail in a digest to the client %(recipient)s"),
    ("admin", True): _("%(kind)s mail in a digest to the admin %(recipient)s"),
}
_CHANNEL = {
    False: _("%(kind)s message to the channel %(channel)s"),
    True: _("%(kind)s message in a digest to the channel %(channel)s"),
}


def state_name(name: str, reader: Language) -> str:
    """A ticket's state or priority in the reader's language."""
    return _word(_STATES, name, reader)


def client_title(subject: str, description: str, service: str, reader: Language = ENGLISH) -> str:
    """What a client reads a ticket is about: its own subject, else its error's text for clients, else the service.

    Never the error's title, which is a class and a masked text.
    """
    if subject or description:
        return subject or description
    if service:
        return _said(reader, _("A technical error in %(service)s"), service=service)
    return reader.gettext(_("A technical error"))


def waiting(facts: Facts | None, reader: Language = ENGLISH) -> str:
    """What a closing waits for (`evidence.Waiting` as data), '' for nothing."""
    if not facts:
        return ""
    name = facts.get("name", "")
    if facts["kind"] == "release" and not name:
        return reader.gettext(_("the next release of the service, with the correction, to be out"))
    if facts["kind"] == "run" and name:
        return _said(
            reader, _("a run of %(name)s that begins and ends in order without the error"), name=name
        )
    pid, host = facts.get("pid", 0), facts.get("host", "")
    return _said(reader, _WAITING[facts["kind"]], pid=pid, host=host, name=name)


def runs(facts: Facts | None, reader: Language = ENGLISH) -> str:
    """How often an error's function ran (`runs.Runs` as data, `corrected` where a correction began the silence)."""
    if not facts:
        return ""
    why = reader.gettext(_UNKNOWN_RUNS.get(facts.get("unknown", ""), _UNKNOWN_RUNS["not_told"]))
    if "function" not in facts:
        return _said(reader, _("runs are not known: %(why)s"), why=why)
    said = _ran(facts, reader)
    before, failed = int(facts.get("before", 0)), int(facts.get("failed", 0))
    if failed:
        said += _said(
            reader, _("; before: 1 in %(each)s"), each=reader.number(max(round(before / failed), 1))
        )
    elif before:
        said += _said(reader, _("; before: %(before)s times"), before=reader.number(before))
    for kind in facts.get("kinds", ()):
        said += _said(
            reader, _("; in %(program)s: %(since)s"), program=kind["name"], since=reader.number(kind["since"])
        )
    if facts.get("estimated"):
        said += reader.gettext(_("; partly an estimate"))
    if facts.get("unknown"):
        said += _said(reader, _("; not counted everywhere: %(why)s"), why=why)
    return said


def _ran(facts: Facts, reader: Language) -> str:
    since = int(facts.get("since", 0))
    if facts.get("corrected"):
        text = reader.ngettext(
            "%(function)s ran %(num)s time since the correction, failed 0",
            "%(function)s ran %(num)s times since the correction, failed 0",
            since,
        )
    else:
        text = reader.ngettext(
            "%(function)s ran %(num)s time since the error was last seen, failed 0",
            "%(function)s ran %(num)s times since the error was last seen, failed 0",
            since,
        )
    return text % {"function": facts["function"], "num": reader.number(since)}


def history(action: str, facts: Facts | None, stored: str, reader: Language = ENGLISH) -> str:
    """What a history row says besides its action; `stored` where it has no facts, or ones not known here."""
    say = ACTIONS.get(action)
    if not facts or say is None:
        return stored
    try:
        return say(facts, reader)
    except (KeyError, TypeError, ValueError):  # written by another version
        return stored


def described(action: str, facts: Facts) -> str:
    """The English sentence that is stored beside the facts."""
    return history(action, facts, "")


def _said(reader: Language, text: str, **values: object) -> str:
    return reader.gettext(text) % values


def _word(words: Mapping[str, str], name: str, reader: Language) -> str:
    return reader.gettext(words[name]) if name in words else name


def _created(facts: Facts, reader: Language) -> str:
    parts = [_said(reader, _("ticket %(ticket)s"), ticket=facts["ticket"])]
    if facts.get("error"):
        text = _("error %(error)s of %(service)s")
        parts.append(_said(reader, text, error=facts["error"], service=facts["service"]))
    if facts.get("client"):
        text = _("client %(client)s, who wrote it") if facts.get("by_client") else _("client %(client)s")
        parts.append(_said(reader, text, client=facts["client"]))
    if facts.get("folded"):
        parts.append(_said(reader, _("first folded error: %(error)s"), error=facts["folded"]))
    if facts.get("strangers"):
        text = _("for no known client: %(clients)s")
        parts.append(_said(reader, text, clients=", ".join(facts["strangers"])))
    return ", ".join(parts)


def _changed(facts: Facts, reader: Language) -> str:
    before, after = (_word(_STATES, str(facts[key]), reader) for key in ("before", "after"))
    return f"{before} -> {after}"


def _renamed(facts: Facts, reader: Language) -> str:
    return f"{facts['before']} -> {facts['after']}"


def _described(facts: Facts, reader: Language) -> str:
    return str(facts["text"]) or reader.gettext(_("no text for clients"))


def _reappeared(facts: Facts, reader: Language) -> str:
    if not facts.get("late"):
        return ""
    return _said(reader, _("told late: it happened on %(moment)s"), moment=reader.moment(facts["at"]))


def _reopened(facts: Facts, reader: Language) -> str:
    if "client_note" in facts or "note" in facts:
        return _note(facts) or reader.gettext(_("reopened by hand"))
    if facts["late"]:
        return reader.gettext(_("came back late: it happened before the ticket was closed"))
    return reader.gettext(_("the error came back"))


def _old_code(facts: Facts, reader: Language) -> str:
    text = _("session %(session)s (pid %(pid)s on %(host)s) began before the correction")
    session = str(facts["session"])[:8]
    return _said(reader, text, session=session, pid=facts["pid"], host=facts["host"])


def _correction(facts: Facts, reader: Language) -> str:
    release = _said(reader, _("in release %(name)s"), name=facts["release"]) if facts.get("release") else ""
    return reader.clauses(filter(None, [", ".join(facts["files"]), *facts["texts"], release]))


def _summary(facts: Facts, reader: Language) -> str:
    return str(facts["summary"])


def _quiet(facts: Facts, reader: Language) -> str:
    text = _("quiet for %(quiet)s, the application seen alive for %(seen)s of them")
    quiet, seen = (reader.duration(facts[key]) for key in ("quiet_seconds", "seen_seconds"))
    said = [_said(reader, text, quiet=quiet, seen=seen)]
    if facts.get("runs"):
        said.append(runs(facts["runs"], reader))
    if missing := not_known(facts, reader):
        said.append(missing)
    if facts.get("unverified"):
        said.append(reader.gettext(_("the correction was not verified by tests")))
    return reader.clauses(said)


def not_known(facts: Facts, reader: Language = ENGLISH) -> str:
    """What a closing does not know of, '' for nothing: times and processes of which nothing can be told."""
    said = []
    if facts.get("untold_seconds"):
        text = _("for %(duration)s its errors could not have reached the handler")
        said.append(_said(reader, text, duration=reader.duration(facts["untold_seconds"])))
    if facts.get("programs_gone"):
        text = _("not seen any more: %(programs)s, which logged the error")
        said.append(_said(reader, text, programs=", ".join(facts["programs_gone"])))
    if facts.get("gone"):
        said.append(_may_be_missing(facts["gone"], reader))
    return reader.clauses(said)


def _may_be_missing(gone: Sequence[Facts], reader: Language) -> str:
    """Processes that were written off, and what they may have held."""
    text = _("pid %(pid)s on %(host)s, last heard %(moment)s")
    named = [
        _said(reader, text, pid=one["pid"], host=one["host"], moment=reader.moment(one["last_heard"]))
        for one in gone
    ]
    return _said(
        reader,
        _("what these processes still held may be missing: %(processes)s"),
        processes=reader.clauses(named),
    )


def _inconclusive(facts: Facts, reader: Language) -> str:
    text = _("silence proves nothing yet: waiting for %(what)s")
    return _said(reader, text, what=waiting(facts["waiting"], reader))


def _resolved(facts: Facts, reader: Language) -> str:
    return _note(facts) or reader.gettext(_("resolved by hand"))


def _note(facts: Facts) -> str:
    """What somebody wrote for the client, or, under the older key, for the team alone."""
    return str(facts.get("client_note") or facts.get("note") or "")


def _merged(facts: Facts, reader: Language) -> str:
    if "kept" in facts:
        return _said(reader, _("the same error as ticket %(ticket)s"), ticket=facts["kept"])
    if "younger" in facts:
        return _said(reader, _("ticket %(ticket)s was about the same error"), ticket=facts["younger"])
    text = _("error %(error)s was merged into error %(into)s")
    return _said(reader, text, error=facts["error"], into=facts["into"])


def _split(facts: Facts, reader: Language) -> str:
    if "into" in facts:
        text = _("told apart from error %(error)s: this ticket is about error %(into)s")
        return _said(reader, text, error=facts["error"], into=facts["into"])
    text = _("some occurrences of error %(error)s are another error's: %(parts)s")
    return _said(reader, text, error=facts["error"], parts=", ".join(map(str, facts["parts"])))


def _muted(facts: Facts, reader: Language) -> str:
    if "seconds" in facts:
        return _said(reader, _("for %(duration)s"), duration=reader.duration(facts["seconds"]))
    return _said(reader, _("until it exceeds %(rate)s an hour"), rate=facts["rate"])


def _mail(facts: Facts, reader: Language) -> str:
    text = _SENT[facts["audience"], bool(facts.get("digest"))]
    kind = _word(_MAILS, facts["kind"], reader)
    said = _said(reader, text, kind=kind, recipient=facts["recipient"])
    return _with_reason(said, facts, reader)


def _channel(facts: Facts, reader: Language) -> str:
    text = _CHANNEL[bool(facts.get("digest"))]
    said = _said(reader, text, kind=_word(_MAILS, facts["kind"], reader), channel=facts["recipient"])
    return _with_reason(said, facts, reader)


def _with_reason(said: str, facts: Facts, reader: Language) -> str:
    if not facts.get("reason"):
        return said
    return f"{said}: {Reason.read(facts['reason'], facts.get('reason_parts')).said(reader.code)}"


def _client_not_told(facts: Facts, reader: Language) -> str:
    return _said(reader, _("no mail address of %(client)s is known"), client=facts["client"])


def _assigned(facts: Facts, reader: Language) -> str:
    return str(facts["after"]) or reader.gettext(_("nobody"))


def _linked(facts: Facts, reader: Language) -> str:
    return str(facts["after"]) or reader.gettext(_("no link"))


def _message(facts: Facts, reader: Language) -> str:
    return _word(_WRITTEN, str(facts["sender"]), reader)


def _withdrawn(facts: Facts, reader: Language) -> str:
    text = _("correction %(correction)s of %(file)s")
    return _said(reader, text, correction=facts["correction"], file=facts["file"])


ACTIONS: Mapping[str, Callable[[Facts, Language], str]] = {
    "created": _created,
    "status_changed": _changed,
    "priority_changed": _changed,
    "category_changed": _changed,
    "reappeared": _reappeared,
    "reopened": _reopened,
    "old_code_running": _old_code,
    "described": _described,
    "subject_changed": _renamed,
    "correction_logged": _correction,
    "validated": _summary,
    "validation_failed": _summary,
    "auto_closed": _quiet,
    "ready": _quiet,
    "inconclusive": _inconclusive,
    "resolved": _resolved,
    "merged": _merged,
    "split": _split,
    "muted": _muted,
    "email_sent": _mail,
    "email_failed": _mail,
    "channel_sent": _channel,
    "channel_failed": _channel,
    "client_not_told": _client_not_told,
    "assigned": _assigned,
    "linked": _linked,
    "message": _message,
    "correction_withdrawn": _withdrawn,
}
"""What says the facts of a history row, by its action."""
