"""The handler an application adds to its logging configuration."""
