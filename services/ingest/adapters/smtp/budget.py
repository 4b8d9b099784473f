"""How many commands a client may send without a message."""

from collections import Counter

#: Without RCPT and what we do not know.
_MAX_COMMANDS = 100
#: Far above any list of recipients: those beyond a message's limit hear 452, and come separately.
_MAX_RECIPIENT_COMMANDS = 10_000
#: In one connection: they are another protocol's, or a scanner's.
_MAX_UNKNOWN_COMMANDS = 5


class CommandBudget:
    """What one connection has left. Working clients never see its end."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()

    def spend(self, command: str | None) -> bool:
        """Count a command, None for one that we do not know; return False when it is too much."""
        if command is None:
            kind, limit = "unknown", _MAX_UNKNOWN_COMMANDS
        elif command == "RCPT":
            kind, limit = "recipients", _MAX_RECIPIENT_COMMANDS
        else:
            kind, limit = "others", _MAX_COMMANDS
        self._spent[kind] += 1
        return self._spent[kind] <= limit

    def renew(self) -> None:
        """A message has come."""
        self._spent["recipients"] = self._spent["others"] = 0
