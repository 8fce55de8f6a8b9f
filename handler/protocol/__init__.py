"""What handler and daemon share: the values of a spool and the messages between them."""
