"""Messages of handlers become committed counts, samples and consequences, each event once."""
