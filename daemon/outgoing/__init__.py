"""What leaves the daemon for people: mails, from their wording to the mail server."""
