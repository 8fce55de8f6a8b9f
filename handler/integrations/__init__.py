"""What Celery and process pools do to logging and to exits, undone."""
