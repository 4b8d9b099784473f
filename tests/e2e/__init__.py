"""The `undeliver` command as its users run it: processes, ports, mailboxes, the record."""

import pytest

# Before they are imported: what they assert is then shown as in a test.
pytest.register_assert_rewrite(
    "tests.e2e.balance", "tests.e2e.deployment", "tests.e2e.load", "tests.e2e.scene"
)
