"""Who may sign in to the console: users, the links that let them, what signed-in browsers hold."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    number = "INTEGER NOT NULL PRIMARY KEY" if sqlite else "SERIAL PRIMARY KEY"
    db.execute_sql(
        f"CREATE TABLE users (id {number}, email VARCHAR(255) NOT NULL UNIQUE, name TEXT NOT NULL, "
        "role VARCHAR(255) NOT NULL, client_id VARCHAR(255), password_hash TEXT, language VARCHAR(255), "
        "timezone VARCHAR(255), created_at TIMESTAMP NOT NULL, disabled_at TIMESTAMP)"
    )
    db.execute_sql(
        "CREATE TABLE one_time_links (token_hash VARCHAR(255) NOT NULL PRIMARY KEY, purpose VARCHAR(255) NOT NULL, "
        "user_id INTEGER REFERENCES users (id), client_id VARCHAR(255), email TEXT NOT NULL, "
        "ends_at TIMESTAMP NOT NULL)"
    )
    db.execute_sql(
        "CREATE TABLE browser_sessions (token_hash VARCHAR(255) NOT NULL PRIMARY KEY, "
        "user_id INTEGER REFERENCES users (id), client_id VARCHAR(255), email TEXT NOT NULL, ticket_id INTEGER, "
        "signed_in_at TIMESTAMP NOT NULL, ends_at TIMESTAMP NOT NULL)"
    )
    db.execute_sql("CREATE INDEX browser_sessions_user_id ON browser_sessions (user_id)")
    db.execute_sql("ALTER TABLE clients ADD COLUMN links_from TIMESTAMP")
