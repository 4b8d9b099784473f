"""Ingest's own tables: the book of report keys, and the tokens that were ever configured."""

from services.ingest.adapters.postgres.blob_book import PostgresBlobBook
from services.ingest.adapters.postgres.kept_mail import PostgresKeptMail
from services.ingest.adapters.postgres.report_keys import ANSWER_SECONDS, SQL, PostgresReportKeys
from services.ingest.adapters.postgres.tokens import PostgresKnownTokens

__all__ = [
    "ANSWER_SECONDS",
    "SQL",
    "PostgresBlobBook",
    "PostgresKeptMail",
    "PostgresKnownTokens",
    "PostgresReportKeys",
]
