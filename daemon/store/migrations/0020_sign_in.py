"""Failed attempts to sign in, counted by all consoles together; the user's account at an OpenID provider."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    number = "INTEGER NOT NULL PRIMARY KEY" if sqlite else "BIGSERIAL PRIMARY KEY"
    moment = "TIMESTAMP" if sqlite else "TIMESTAMPTZ"
    db.execute_sql(
        f"CREATE TABLE sign_in_attempts (id {number}, key VARCHAR(255) NOT NULL, at {moment} NOT NULL)"
    )
    db.execute_sql("CREATE INDEX sign_in_attempts_key_at ON sign_in_attempts (key, at)")
    db.execute_sql("CREATE INDEX sign_in_attempts_at ON sign_in_attempts (at)")
    db.execute_sql("ALTER TABLE users ADD COLUMN openid_account TEXT")
    db.execute_sql("CREATE UNIQUE INDEX users_openid_account ON users (openid_account)")
