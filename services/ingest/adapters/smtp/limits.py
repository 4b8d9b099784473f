"""What clients may ask of a listener."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Of one listener, its sessions and their messages."""

    connections: int
    #: Of one message, accepted by the listener.
    recipients: int
    message_bytes: int
    #: A message up to this size waits in memory, a larger one in a file.
    memory_bytes: int
    #: Larger messages that are in memory at once, while they are kept.
    large_at_once: int
    #: Without progress of the client.
    idle_seconds: float
    #: From STARTTLS to the end of the handshake.
    handshake_seconds: float
    #: Where large messages wait; None: the system's folder for temporary files.
    spool_folder: Path | None = None
