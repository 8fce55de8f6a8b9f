"""From a `LogRecord` to an event: bounded, scrubbed plain data."""
