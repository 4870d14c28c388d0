"""The product from outside: the command, real payloads, a mailbox, a browser; nothing of its code is imported."""
