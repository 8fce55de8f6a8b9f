"""The console: the pages served to those who have signed in, with buttons that act."""
