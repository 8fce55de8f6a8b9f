"""Every command of `tocsin`, in groups, each loaded when it is used; `--config` may stand anywhere among them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from tocsin.daemon.cli.wording import let_click_speak, told, translate
from tocsin.daemon.log import log

CONFIG = "tocsin.config"
"""Key of the named configuration file in click's `meta`."""


class Entry(NamedTuple):
    """Where a command is defined, and what `--help` says of it before it is loaded."""

    module: str
    attribute: str
    help: str


GROUPS: dict[str, dict[str, Entry]] = {
    "Set up and run": {
        "init": Entry("setup", "init", "Write a commented tocsin.toml and .env into DIRECTORY."),
        "daemon": Entry("daemon", "daemon", "Run the daemon in the foreground."),
        "status": Entry("service", "status", "Is it alive? Sessions, backlog, last check, mails, losses."),
        "sessions": Entry(
            "sessions", "sessions", "List the processes known; `gone ID` writes off one that never comes back."
        ),
        "doctor": Entry("operations", "doctor_command", "Check every part; say of each problem what to do."),
        "mail": Entry("mail", "mail", "Mails: test the server, preview one, see to those that wait."),
        "channel": Entry("channel", "channel", "Chats and webhooks: send a test message."),
        "console": Entry("console", "console", "Serve the pages with buttons that act, until it is stopped."),
        "users": Entry("users", "users", "The users of the console: who may sign in, and as what."),
        "clients": Entry(
            "clients", "clients", "The clients: whom errors concern, and where to write to them."
        ),
        "tokens": Entry("tokens", "tokens", "The tokens of scripts and agents: what each may do by the API."),
        "completion": Entry(
            "completion", "completion", 'Print the completion for SHELL: eval "$(tocsin completion bash)".'
        ),
        "keys": Entry("keys", "keys", "Keys for TCP: make the daemon's, make and revoke those of applications."),
    },
    "Errors and tickets": {
        "errors": Entry("errors", "errors", "List the errors, newest first."),
        "error": Entry("errors", "error", "Everything known about one error."),
        "resolve": Entry("errors", "resolve", "Mark an error resolved by hand; its open tickets close."),
        "mute": Entry("errors", "mute", "Mute an error: it is counted, but nobody is told."),
        "unmute": Entry("errors", "unmute", "End a mute."),
        "describe": Entry(
            "errors", "describe", "Say in TEXT what clients read of an error in its title's place; '' takes it away."
        ),
        "assign": Entry("remarks", "assign", "Say who sees to an error; '' for nobody."),
        "note": Entry("remarks", "note", "Add a note for the team to an error; no client reads it."),
        "link": Entry(
            "remarks", "link",
            "Name the issue or pull request in which an error is dealt with; '' takes it away.",
        ),
        "split": Entry("errors", "split", "Tell an error's events apart from now on; `merge` undoes it."),
        "regroup": Entry(
            "regrouping", "regroup",
            "Bring what is stored under the present grouping rules, as far as samples tell; `merge` undoes it.",
        ),
        "merge": Entry(
            "errors", "merge",
            "Make an error part of another: counts, samples, tickets and corrections move.",
        ),
        "tickets": Entry("tickets", "tickets", "List the tickets, newest first."),
        "ticket": Entry(
            "tickets", "ticket", "One ticket: `tocsin ticket ID` shows it with its history and its watch."
        ),
    },
    "Correct": {
        "autofix": Entry(
            "validation", "autofix",
            "Print one report (Markdown) over the open errors, or those given, for a coding agent.",
        ),
        "correct": Entry(
            "corrections", "correct",
            "Record a correction of ERROR_ID: what a commit or a diff changed, or one change; or a batch, "
            "all or nothing.",
        ),
        "corrections": Entry("corrections", "corrections", "List the corrections with their diffs and test status."),
        "deployed": Entry(
            "deployed", "deployed",
            "Say that a release of a service is out: what was corrected in it is watched from now on.",
        ),
        "withdraw": Entry(
            "corrections", "withdraw",
            "Take a correction back: it is kept as withdrawn and counts nowhere as applied.",
        ),
        "validate": Entry(
            "validation", "validate",
            "Generate the test of ERROR_ID's correction, run it on the old and the new code, record the result.",
        ),
        "fix": Entry(
            "fix", "fix",
            "Have a coding agent correct errors, each on a branch of its own, tested: those given, or the open ones.",
        ),
        "tries": Entry(
            "fix", "tries", "List what coding agents tried, the newest first: how each try ended, and why."
        ),
        "mcp": Entry(
            "mcp", "mcp", "Answer a coding agent over the Model Context Protocol, on standard input and output."
        ),
        "check": Entry("service", "check", "Run the hourly check now."),
    },
    "Reports": {
        "metrics": Entry(
            "metrics", "metrics",
            "Tickets opened and closed automatically, time to resolution, and the honest numbers beside them.",
        ),
        "report": Entry("reporting", "report", "Write the HTML pages."),
        "signature": Entry(
            "reporting", "signature", "Signatures of recorded events in FILE.jsonl; of pairs, which fail (exit 1)."
        ),
    },
    "Look after the data": {
        "backup": Entry(
            "operations", "backup",
            "Write a checked backup of the database to FILE, or to a new file in that directory.",
        ),
        "restore": Entry(
            "operations", "restore", "Put the backup FILE in the place of the database, which is kept aside."
        ),
        "migrate": Entry(
            "operations", "migrate", "Bring an older database's tables up to date, after a backup."
        ),
        "forget": Entry(
            "operations", "forget", "Erase a client's data: it cannot be undone."
        ),
        "ship": Entry("ship", "ship", "Ship what dead processes left in the spool."),
    },
}  # fmt: skip
ENTRIES = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class Commands(click.Group):
    """The top level: knows every command, loads the one that is used."""

    def main(self, *args: Any, **more: Any) -> Any:
        let_click_speak()
        translate(self)
        return super().main(*args, **more)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*ENTRIES, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands and cmd_name in ENTRIES:
            self.load(cmd_name)
        return self.commands.get(cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options and commands that begin so; without loading any: a shell asks at each TAB."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        found = [(name, told(entry.help)) for name, entry in ENTRIES.items() if name.startswith(incomplete)]
        return [*(CompletionItem(name, help=text) for name, text in sorted(found)), *options]

    def load(self, name: str) -> None:
        """Imports one command and gives it `--config`."""
        log.prepare(_configure_logs)
        if name in ("daemon", "console"):
            # What libraries log and threads die of must be an event too.
            _configure_logs()
        entry = ENTRIES[name]
        command = getattr(import_module(f"tocsin.daemon.cli.{entry.module}"), entry.attribute)
        self.commands[name] = translate(with_config(command))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In groups, without loading any."""
        for title, entries in GROUPS.items():
            with formatter.section(told(title)):
                formatter.write_dl([(name, told(entry.help)) for name, entry in entries.items()])


def _configure_logs() -> None:
    """structlog's default is standard output, where it would spoil what --json prints."""
    import_module("tocsin.daemon.runtime.logs").configure()


def with_config(command: click.Command) -> click.Command:
    """The command, and those below it, with `--config`; it means the same as before the command."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_config(below)
    if not any(param.name == "config_file" for param in command.params):
        option = click.Option(
            ["--config", "config_file"],
            metavar="FILE",
            hidden=True,
            expose_value=False,
            callback=_config_given,
        )
        command.params.append(option)
    return command


def _config_given(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[CONFIG] = value
