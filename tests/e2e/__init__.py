"""The `undeliver` command as its users run it: processes, ports, mailboxes, the record."""
