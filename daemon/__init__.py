"""The daemon: takes errors in, opens tickets, mails, watches, closes."""
