"""What was odd about a message. Flags travel with it; none of them refuses it."""

from enum import StrEnum


class Flag(StrEnum):
    """A constant name, spelled as operators and the journal literature spell it."""

    # What kind of mail it is.
    NOT_A_JOURNAL = "not-a-journal"
    LEGACY = "legacy"
    VIA_NDR = "via-ndr"
    NESTED_JOURNAL = "nested-journal"
    DOUBTFUL_JOURNAL = "doubtful-journal"
    # How its structure was broken.
    NO_HEADERS = "no-headers"
    MISSING_CLOSE_BOUNDARY = "missing-close-boundary"
    AMBIGUOUS_BOUNDARY = "ambiguous-boundary"
    EXTRA_PART = "extra-part"
    TOO_MANY_PARTS = "too-many-parts"
    HEADER_TOO_LARGE = "header-too-large"
    ENVELOPE_UNREADABLE = "envelope-unreadable"
    ORIGINAL_MISSING = "original-missing"
    # What its envelope part held.
    UNKNOWN_FIELD = "unknown-field"
    REPEATED_FIELD = "repeated-field"
    STRAY_TEXT = "stray-text"
    MISSING_SENDER = "missing-sender"
    LEGACY_ADDRESS = "legacy-address"
    UNREADABLE_ADDRESS = "unreadable-address"
    # What is special about its original.
    TRANSFER_ENCODED_ORIGINAL = "transfer-encoded-original"
    RELABELLED_ORIGINAL = "relabelled-original"
    PROTECTED_COPY = "protected-copy"
    SEVERAL_ORIGINALS = "several-originals"
    TNEF = "tnef"
    MESSAGE_ID_MISMATCH = "message-id-mismatch"
    MESSAGE_ID_TOO_LONG = "message-id-too-long"
    BARE_LF = "bare-lf"
    BARE_CR = "bare-cr"
    NUL_BYTE = "nul-byte"
    # What happened to it here.
    PARSE_FAILED = "parse-failed"
    CONFLICTING_REPORT_KEY = "conflicting-report-key"
