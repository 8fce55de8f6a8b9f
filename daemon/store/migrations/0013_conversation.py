"""Conversations, assignees, an error's own history, withdrawn corrections, claims, tokens."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

HISTORY = """(id {number}, error_id INTEGER NOT NULL REFERENCES error_logs (id), action VARCHAR(255) NOT NULL,
  description TEXT NOT NULL, details {json} NOT NULL, created_by VARCHAR(255) NOT NULL, created_at TIMESTAMP NOT NULL)"""
MESSAGES = """(id {number}, ticket_id INTEGER NOT NULL REFERENCES support_tickets (id), sender VARCHAR(255) NOT NULL,
  author TEXT NOT NULL, text TEXT NOT NULL, created_at TIMESTAMP NOT NULL)"""
WITHDRAWN = """(id INTEGER NOT NULL PRIMARY KEY, error_id INTEGER NOT NULL REFERENCES error_logs (id),
  file_path TEXT NOT NULL, old_code TEXT NOT NULL, new_code TEXT NOT NULL, description TEXT NOT NULL,
  applied_by VARCHAR(255) NOT NULL, applied_at TIMESTAMP NOT NULL, recorded_at TIMESTAMP NOT NULL,
  test_status VARCHAR(255) NOT NULL, test_results {json}, withdrawn_by VARCHAR(255) NOT NULL,
  withdrawn_at TIMESTAMP NOT NULL)"""
CLAIMS = """(error_id INTEGER NOT NULL PRIMARY KEY REFERENCES error_logs (id), claimed_by TEXT NOT NULL,
  claimed_at TIMESTAMP NOT NULL, ends_at TIMESTAMP NOT NULL)"""
TOKENS = """(id {number}, name VARCHAR(255) NOT NULL UNIQUE, token_hash VARCHAR(255) NOT NULL UNIQUE,
  scopes {json} NOT NULL, client_id VARCHAR(255), created_by TEXT NOT NULL, created_at TIMESTAMP NOT NULL,
  ends_at TIMESTAMP, used_at TIMESTAMP, revoked_at TIMESTAMP)"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    types = {
        "number": "INTEGER NOT NULL PRIMARY KEY" if sqlite else "SERIAL PRIMARY KEY",
        "json": "JSON" if sqlite else "JSONB",
    }
    tables = {
        "error_history": HISTORY,
        "support_ticket_messages": MESSAGES,
        "withdrawn_corrections": WITHDRAWN,
        "claims": CLAIMS,
        "tokens": TOKENS,
    }
    for name, columns in tables.items():
        db.execute_sql(f"CREATE TABLE {name} {columns.format(**types)}")
    db.execute_sql("CREATE INDEX error_history_error_id ON error_history (error_id)")
    db.execute_sql("CREATE INDEX support_ticket_messages_ticket_id ON support_ticket_messages (ticket_id)")
    db.execute_sql("CREATE INDEX withdrawn_corrections_error_id ON withdrawn_corrections (error_id)")
    db.execute_sql("ALTER TABLE error_logs ADD COLUMN assignee TEXT NOT NULL DEFAULT ''")
    db.execute_sql("ALTER TABLE error_logs ADD COLUMN link TEXT NOT NULL DEFAULT ''")
    db.execute_sql("ALTER TABLE support_tickets ADD COLUMN assignee TEXT NOT NULL DEFAULT ''")
