"""The table of everything that the console answers; what is not in it does not exist."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from starlette.responses import Response

from tocsin.reports.api.openapi import PREFIX
from tocsin.reports.api.operations import OPERATIONS
from tocsin.reports.console import (
    api,
    error_actions,
    error_pages,
    live,
    mail_pages,
    openid,
    other_pages,
    people_pages,
    sign_in,
    static,
    system_pages,
    ticket_pages,
)
from tocsin.reports.console.authorisation import Of, Right
from tocsin.reports.console.request import ConsoleRequest


class Route(Struct, frozen=True):
    """One method of one path, the right it asks for and the function that answers, in a thread.

    `api`: its sender is known by a token alone, never by a cookie, and what is wrong is told as problem+json.
    """

    method: str
    path: str
    right: Right
    answer: Callable[[ConsoleRequest], Response]
    of: Of = Of.EVERYTHING
    api: bool = False


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", Right.EVERYBODY, sign_in.home),
    Route("GET", "/static/{name}", Right.EVERYBODY, static.file),
    Route("GET", "/sign-in", Right.EVERYBODY, sign_in.form),
    Route("POST", "/sign-in", Right.EVERYBODY, sign_in.by_password),
    Route("POST", "/sign-in/link", Right.EVERYBODY, sign_in.ask_for_link),
    Route("GET", "/sign-in/openid", Right.EVERYBODY, openid.begin),
    Route("GET", "/sign-in/openid/return", Right.EVERYBODY, openid.come_back),
    Route("POST", "/sign-out", Right.SIGNED_IN, sign_in.sign_out),
    Route("GET", "/one-time/{token}", Right.EVERYBODY, sign_in.one_time),
    Route("POST", "/one-time/{token}", Right.EVERYBODY, sign_in.use_one_time),
    Route("GET", "/link/{text}", Right.EVERYBODY, sign_in.ticket_link),
    Route("POST", "/link/{text}", Right.EVERYBODY, sign_in.open_ticket),
    Route("GET", "/live", Right.READ, live.stream),
    Route("GET", "/my/live", Right.OWN, live.stream, Of.LISTING),
    Route("GET", "/my/tickets/{ticket_id:int}/live", Right.OWN, live.stream, Of.TICKET),
    Route("GET", "/errors", Right.READ, error_pages.errors),
    Route("POST", "/errors/hand-over", Right.ACT, error_actions.hand_over),
    Route("POST", "/errors/auto-fix", Right.READ, error_pages.auto_fix),
    Route("POST", "/errors/bundle", Right.READ, error_pages.bundle),
    Route("POST", "/errors/resolve", Right.ACT, error_actions.resolve_chosen),
    Route("POST", "/errors/mute", Right.ACT, error_actions.mute_chosen),
    Route("POST", "/errors/merge", Right.ACT, error_actions.merge_chosen),
    Route("GET", "/errors/{error_id:int}", Right.READ, error_pages.error),
    Route("POST", "/errors/{error_id:int}/resolve", Right.ACT, error_actions.resolve),
    Route("POST", "/errors/{error_id:int}/mute", Right.ACT, error_actions.mute),
    Route("POST", "/errors/{error_id:int}/unmute", Right.ACT, error_actions.unmute),
    Route("POST", "/errors/{error_id:int}/merge", Right.ACT, error_actions.merge),
    Route("POST", "/errors/{error_id:int}/describe", Right.ACT, error_actions.describe),
    Route("POST", "/errors/{error_id:int}/corrections", Right.CORRECT, error_actions.record_correction),
    Route("POST", "/errors/{error_id:int}/note", Right.ACT, error_actions.note),
    Route("POST", "/errors/{error_id:int}/assign", Right.ACT, error_actions.assign),
    Route("POST", "/errors/{error_id:int}/link", Right.ACT, error_actions.link),
    Route("POST", "/errors/{error_id:int}/deployed", Right.SEND, error_actions.deployed),
    Route(
        "POST", "/corrections/{correction_id:int}/withdraw", Right.CORRECT, error_actions.withdraw_correction
    ),
    Route("GET", "/tickets", Right.READ, ticket_pages.tickets),
    Route("POST", "/tickets", Right.ACT, ticket_pages.open_ticket),
    Route("GET", "/tickets/{ticket_id:int}", Right.READ, ticket_pages.ticket),
    Route("POST", "/tickets/{ticket_id:int}/change", Right.ACT, ticket_pages.change),
    Route("POST", "/tickets/{ticket_id:int}/note", Right.ACT, ticket_pages.note),
    Route("POST", "/tickets/{ticket_id:int}/close", Right.ACT, ticket_pages.close),
    Route("POST", "/tickets/{ticket_id:int}/reopen", Right.ACT, ticket_pages.reopen),
    Route("POST", "/tickets/{ticket_id:int}/messages", Right.ACT, ticket_pages.answer),
    Route("POST", "/tickets/{ticket_id:int}/assign", Right.ACT, ticket_pages.assign),
    Route("POST", "/my/tickets", Right.OWN, ticket_pages.open_own_ticket, Of.LISTING),
    Route("POST", "/my/tickets/{ticket_id:int}/messages", Right.OWN, ticket_pages.write, Of.TICKET),
    Route("GET", "/mails", Right.READ, mail_pages.mails),
    Route("GET", "/mails/{mail_id:int}", Right.READ, mail_pages.mail),
    Route("GET", "/mails/{mail_id:int}/html", Right.READ, mail_pages.as_html),
    Route("POST", "/mails/{mail_id:int}/release", Right.ACT, mail_pages.release),
    Route("POST", "/mails/{mail_id:int}/retry", Right.ACT, mail_pages.retry),
    Route("POST", "/mails/{mail_id:int}/drop", Right.ACT, mail_pages.drop),
    Route("POST", "/mails/{mail_id:int}/rewrite", Right.ACT, mail_pages.rewrite),
    Route("GET", "/clients", Right.READ, people_pages.clients),
    Route("POST", "/clients", Right.ACT, people_pages.save_client),
    Route("POST", "/clients/revoke", Right.ACT, people_pages.revoke_links),
    Route("GET", "/users", Right.READ, people_pages.user_list),
    Route("POST", "/users", Right.ACT, people_pages.invite),
    Route("POST", "/users/{user_id:int}/link", Right.ACT, people_pages.new_link),
    Route("POST", "/users/{user_id:int}/disable", Right.ACT, people_pages.disable),
    Route("POST", "/users/{user_id:int}/enable", Right.ACT, people_pages.enable),
    Route("POST", "/users/{user_id:int}/role", Right.ACT, people_pages.change_role),
    Route("POST", "/users/{user_id:int}/reading", Right.ACT, people_pages.change_reading),
    Route("GET", "/system", Right.READ, system_pages.system),
    Route("POST", "/system/doctor", Right.ACT, system_pages.examine),
    Route("POST", "/system/gone", Right.ACT, system_pages.gone),
    Route("GET", "/my/tickets", Right.OWN, ticket_pages.own_tickets, Of.LISTING),
    Route("GET", "/my/tickets/{ticket_id:int}", Right.OWN, ticket_pages.own_ticket, Of.TICKET),
    Route("GET", "/corrections", Right.READ, other_pages.corrections),
    Route("GET", "/metrics", Right.READ, other_pages.metrics),
    Route("GET", "/metrics.{kind}", Right.READ, other_pages.metrics_file),
)

API_ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/openapi.json", Right.EVERYBODY, api.document, api=True),
    *(
        Route(one.method, PREFIX + one.path, Right(one.scope), api.answering(one), Of(one.of), api=True)
        for one in OPERATIONS
    ),
)
