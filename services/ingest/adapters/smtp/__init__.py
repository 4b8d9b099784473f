"""SMTP in, on aiosmtpd, without what its stock behaviour loses."""

from services.ingest.adapters.smtp.certificate import (
    CertificateFiles,
    ServerCertificate,
    check_pair,
)
from services.ingest.adapters.smtp.encryption import Tls
from services.ingest.adapters.smtp.limits import ListenerLimits
from services.ingest.adapters.smtp.listener import Listener, open_listener

__all__ = [
    "CertificateFiles",
    "Listener",
    "ListenerLimits",
    "ServerCertificate",
    "Tls",
    "check_pair",
    "open_listener",
]
