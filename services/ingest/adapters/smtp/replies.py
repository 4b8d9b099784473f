"""Every reply of ours that decides over a message (RFC 5321 §4.2, RFC 3463).

250 only for what is stored and announced. 4yz for everything that may be better later, and for our
own faults: Exchange Online keeps a journal report for a day and comes again. 5yz only where coming
again cannot help, because it does not retry that: docs/adr/0006-smtp-refusals.md names them all.
Texts are generic: the reason is in the log.
"""

READY_FOR_TLS = "220 2.0.0 Ready to start TLS"
BYE = "221 2.0.0 Bye"
OK = "250 2.0.0 OK"
SENDER_OK = "250 2.1.0 OK"
RECIPIENT_OK = "250 2.1.5 OK"
ACCEPTED = "250 2.0.0 Accepted"
CANNOT_VERIFY = "252 2.5.0 Cannot say, send mail and see"
SEND_DATA = "354 End data with <CR><LF>.<CR><LF>"

CLOSING = "421 4.3.2 Service not available, closing"
TOO_MANY_CONNECTIONS = "421 4.3.2 Too many connections, try again later"
TOO_MANY_REFUSALS = "421 4.7.0 Too many unknown recipients, closing"
TOO_MANY_COMMANDS = "421 4.7.0 Too many commands, closing"
NOT_NOW = "451 4.3.0 Not accepted now, try again later"
NOT_IN_THIS_REGION = "451 4.3.2 Not taken here, try another host"
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients, send the rest separately"
NO_TLS = "454 4.7.0 TLS not available"
NO_SPACE = "452 4.3.1 Not accepted now, try again later"

UNKNOWN_COMMAND = "500 5.5.2 Command not recognized"
COMMAND_TOO_LONG = "500 5.5.2 Command line too long"
SYNTAX = "501 5.5.4 Syntax error in parameters"
BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"
TLS_FIRST = "530 5.7.0 Must issue a STARTTLS command first"
UNKNOWN_RECIPIENT = "550 5.1.1 No such recipient"
NOT_OURS = "550 5.7.1 No relaying"
TOO_LARGE = "552 5.3.4 Message too large"

#: Reasons of ours that mean that there is no room, at our place or at the blob store's.
NO_SPACE_REASONS = frozenset({"blob_store_full", "spool_full"})


def code(reply: str) -> str:
    """Return the code of a reply."""
    return reply[:3]
