"""What looks after an installation: checks, backups, retention, erasure, metrics."""
