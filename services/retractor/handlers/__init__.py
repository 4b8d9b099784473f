"""One function per message that the retractor consumes: check, write the ledger, announce."""

from services.retractor.handlers.cancel import accept_cancellation
from services.retractor.handlers.journaled import record_mail
from services.retractor.handlers.restore import accept_restore
from services.retractor.handlers.retract import accept_retraction

__all__ = ["accept_cancellation", "accept_restore", "accept_retraction", "record_mail"]
