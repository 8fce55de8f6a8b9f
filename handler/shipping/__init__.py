"""The thread that brings a spool to the daemon, and what it says there."""
