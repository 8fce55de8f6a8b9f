"""Where everything is kept: Peewee models, migrations and every query that writes. Knows no rules."""
