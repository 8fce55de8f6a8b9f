"""The running process: its clock, its threads, its leadership and what systemd is told."""
