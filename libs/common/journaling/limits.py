"""How much of a hostile message is looked at, so that no input costs more than its size warrants.

Beyond a limit the mail is still accepted and kept whole: a flag says what was not looked at.
"""

#: Of one header block. Exchange itself refuses more than 256 KiB (Set-ReceiveConnector).
MAX_HEADER_BYTES = 1024 * 1024
MAX_HEADER_FIELDS = 10_000
#: Of one header field's value, where it is decoded for people or split into addresses.
MAX_VALUE_BYTES = 64 * 1024
#: Lines in one message that look like a delimiter of one multipart.
MAX_DELIMITERS = 4000
#: RFC 2046 §5.1.1 allows 70.
MAX_BOUNDARY_BYTES = 200
#: The text part of a journal report: about a million recipient lines.
MAX_ENVELOPE_BYTES = 64 * 1024 * 1024
#: RFC 5321 allows 320; an X.500 address can be longer.
MAX_ADDRESS_CHARS = 512
#: A Message-ID is an index key for every service after us.
MAX_MESSAGE_ID_BYTES = 1000
MAX_REFERENCES = 200
MAX_THREAD_INDEX_CHARS = 2000
#: Of key headers as published.
MAX_KEY_HEADER_CHARS = 10_000
#: Of each kind of leftover that is kept in `extras`.
MAX_EXTRAS = 50
MAX_EXTRA_CHARS = 2000
