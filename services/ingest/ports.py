"""What ingest needs from outside."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from libs.common.broker.publishing import Cause, Publish
from libs.common.journaling.mail import ParsedMail
from services.ingest.domain.reception import Entry, ReceivedMail
from services.ingest.domain.retention import KeptRaw
from services.ingest.domain.routes import Destination, Refusal
from services.ingest.domain.sweeping import BookState


class Parser(Protocol):
    """Understands mail without holding up the event loop."""

    async def parse(self, raw: bytes, domains: frozenset[str]) -> ParsedMail:
        """Return the message, understood as far as it can be.

        Never fails over what the bytes are: mail that takes too long, too much memory or the
        process down comes back of kind `unknown`, flagged `parse-failed`.

        Raises:
            TransientError: `parser_unavailable`.
        """


class ReportKeys(Protocol):
    """The book of reports that have been accepted."""

    async def find(self, report_key: str) -> Entry | None:
        """Return the entry under a key.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def enter(self, entry: Entry) -> Entry:
        """Write an entry, durably, unless the key is there; return the one that is in the book.

        Raises:
            TransientError: `database_unreachable`, `database_conflict`.
        """

    async def mark_published(self, report_key: str, at: datetime) -> None:
        """Note that the broker has confirmed the report. A second time changes nothing.

        Raises:
            TransientError: `database_unreachable`.
        """


class KeptMail(Protocol):
    """Which raw mail is still in the store: the same book, read by age."""

    async def tenants(self) -> Sequence[str]:
        """Return the tenants, configured or not, that raw mail is kept of.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def received_before(
        self, tenant: str | None, before: datetime, limit: int, after: KeptRaw | None = None
    ) -> Sequence[KeptRaw]:
        """Return the oldest raw mail of a tenant, or of none, received before an instant.

        `after` is the last one of a former answer, where the next begins.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def mark_deleted(self, report_keys: Sequence[str], at: datetime) -> None:
        """Note that the raw mail of these reports is gone. A second time changes nothing.

        A report that was never announced is forgotten whole: sent again, it must not be announced
        without its mail.

        Raises:
            TransientError: `database_unreachable`, `database_conflict`.
        """


class BlobBook(Protocol):
    """What the book says about the blob store: which blobs an entry names."""

    async def state(self) -> BookState:
        """Return what the book says about itself.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def unswept(self, days: Sequence[str]) -> Sequence[str]:
        """Return those of these days (as of `BlobListing.days`) that are not marked, in order.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def unknown(self, store_keys: Sequence[str]) -> Sequence[str]:
        """Return those keys that no entry names whose raw mail is kept.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def mark_swept(self, days: Sequence[str]) -> None:
        """Note that nothing lies under these days but what entries name. Again changes nothing.

        Raises:
            TransientError: `database_unreachable`.
        """


class KnownTokens(Protocol):
    """Every journal token that was ever configured here, as its hash (`token_hash`)."""

    async def remember(self, tokens: Collection[str], at: datetime) -> None:
        """Note that these are configured, durably. A second time changes nothing.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def was_known(self, token: str) -> bool:
        """Return whether a token was ever configured, by this process or another.

        Raises:
            TransientError: `database_unreachable`.
        """


class PublishFor(Protocol):
    """Binds publishing to a first cause of ours."""

    def __call__(self, cause: Cause) -> Publish:
        """Return what publishes under ids that follow from the cause."""


class Resolve(Protocol):
    """Finds out whose mail comes in."""

    async def __call__(self, address: str) -> Destination | Refusal:
        """Return where mail for an address goes.

        Raises:
            TransientError: it cannot be said now; the client must come again.
        """


class Accept(Protocol):
    """Takes responsibility for a message."""

    async def __call__(self, mail: ReceivedMail) -> None:
        """Return once the message is stored and announced: only then may a client forget it.

        Idempotent: the same message again changes nothing and returns as well.

        Raises:
            TransientError: not taken; the client must keep it and come again. `blob_store_full`
                where the disk is, `tenant_removed` where a tenant has left meanwhile.
            PermanentError: not taken, by our own fault; the client must keep it all the same.
        """
