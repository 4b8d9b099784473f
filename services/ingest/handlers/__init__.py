"""Taking mail in: whose it is, and what becomes of it."""

from services.ingest.handlers.receiving import Desk, receive_mail
from services.ingest.handlers.recipients import CurrentRoutes, resolve_recipient

__all__ = ["CurrentRoutes", "Desk", "receive_mail", "resolve_recipient"]
