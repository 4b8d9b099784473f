"""SMTP in, on aiosmtpd, without what its stock behaviour loses."""

from services.ingest.adapters.smtp.listener import Listener, ListenerLimits, open_listener

__all__ = ["Listener", "ListenerLimits", "open_listener"]
