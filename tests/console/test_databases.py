"""The console on both databases, and two consoles on one: what one admin does the other sees, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from support.console import Console

from tocsin.daemon.store.models import Client, ErrorLog, History, Ticket

PAGES = ("/errors", "/errors/1", "/tickets", "/tickets/1", "/corrections", "/metrics", "/mails", "/mails/1",
         "/clients", "/users", "/system")  # fmt: skip


class Works:
    database = "sqlite"

    def test_every_page_is_there(self, console: Console) -> None:
        admin = console.signed_in()
        assert {path: admin.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)

    def test_a_client_signs_in_reads_and_writes(self, console: Console) -> None:
        ticket = Ticket.select().where(Ticket.client_id.is_null(False)).get()
        client = console.as_client(ticket.client_id, Client.get_by_id(ticket.client_id).email)
        page = f"/my/tickets/{ticket.id}"
        assert client.press(page, f"{page}/messages", text="Grüß Gott \0 🦄").status_code == 303
        assert "Grüß Gott" in client.get(page).text

    def test_admins_of_two_consoles_who_act_at_once_act_once(self, console: Console) -> None:
        other = Console(console.store, console.config, console.now)
        error = ErrorLog.select().where(~ErrorLog.resolved).get()
        tickets = Ticket.select().where(Ticket.error == error, Ticket.status != "closed").count()
        before = History.select().where(History.action == "resolved").count()
        browsers = [console.signed_in("ada@example.org"), other.signed_in("eve@example.org")]
        tokens = [browser.token("/errors") for browser in browsers]

        def press(at: int) -> int:
            return browsers[at].post(f"/errors/{error.id}/resolve", data={"csrf": tokens[at]}).status_code

        with ThreadPoolExecutor(2) as both:
            assert sorted(both.map(press, range(2))) == [303, 409]
        other.site.workers.close()
        assert History.select().where(History.action == "resolved").count() == before + tickets

    def test_wrong_passwords_at_two_consoles_are_counted_together(self, console: Console) -> None:
        console.add()
        other = Console(console.store, console.config, console.now)
        browsers = [console.browser(), other.browser()]
        tried = [browsers[at % 2].sign_in("ada@example.org", "wrong").status_code for at in range(6)]
        assert tried == [403] * 5 + [429]
        assert other.browser().sign_in("ada@example.org").status_code == 429
        other.site.workers.close()

    def test_who_signed_in_may_mistype_again(self, console: Console) -> None:
        console.add()
        browser = console.browser()
        assert [browser.sign_in("ada@example.org", "wrong").status_code for _ in range(4)] == [403] * 4
        assert browser.sign_in("ada@example.org").status_code == 303
        tries = [console.browser().sign_in("ada@example.org", "wrong").status_code for _ in range(5)]
        assert tries == [403] * 5

    def test_a_session_of_one_console_is_one_of_the_other(self, console: Console) -> None:
        other = Console(console.store, console.config, console.now)
        browser, elsewhere = console.signed_in(), other.browser()
        elsewhere.cookies.set("tocsin", browser.cookies["tocsin"])
        assert elsewhere.get("/errors").status_code == 200
        browser.press("/errors", "/sign-out")
        assert elsewhere.get("/errors").status_code == 303
        other.site.workers.close()


class TestSqlite(Works):
    pass


class TestPostgres(Works):
    database = "postgres"
