"""What an operator gets wrong, told in words before anything is changed."""

import pytest

from libs.common.database.provisioning import Plan, role_of
from libs.common.errors import ConfigurationError
from libs.common.passwords import read_passwords
from libs.common.tenants.checks import MAX_PUBLISHER_NAME_CHARACTERS
from tests.commands import undeliver


async def test_an_address_that_is_not_set_is_asked_for():
    ended = await undeliver("database", "provision", "--no-queue")

    assert ended.code == 2
    assert "DATABASE_ADMIN_DSN is not set" in ended.err


async def test_every_password_that_is_missing_is_named_and_none_is_told(passwords):
    (passwords / "audit").unlink()
    (passwords / "retractor").write_text("pässwort")

    ended = await undeliver(
        "database", "provision", "--sql", "--no-queue", "--passwords", str(passwords)
    )

    assert ended.code == 2
    assert not ended.out
    assert f"{passwords}/audit: cannot be read" in ended.err
    assert f"{passwords}/retractor: holds no password" in ended.err
    assert "sswort" not in ended.err


@pytest.mark.parametrize("name", ["a; drop database x", 'a"b', "", "x" * 64])
async def test_a_database_name_that_would_need_quoting_is_refused(name):
    ended = await undeliver("database", "provision", "--sql", "--create-database", name)

    assert ended.code == 2
    assert not ended.out


def test_a_name_that_postgres_would_cut_is_refused_rather_than_cut():
    longest = "p" * MAX_PUBLISHER_NAME_CHARACTERS
    assert len(role_of(longest)) == 63

    with pytest.raises(ConfigurationError, match="at most 53 characters"):
        role_of(longest + "p")
    with pytest.raises(ConfigurationError, match="at most 53 characters"):
        Plan(publishers=[longest + "p"]).script()


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"nul\0", b"x" * 1001, b"\xff"])
def test_a_file_without_a_password_is_refused(tmp_path, content):
    (tmp_path / "cli").write_bytes(content)

    with pytest.raises(ConfigurationError, match="holds no password"):
        read_passwords(tmp_path, ["cli"])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_is_no_part_of_a_password(tmp_path, end):
    (tmp_path / "cli").write_bytes(f" s p{end}".encode())

    assert read_passwords(tmp_path, ["cli"]) == {"cli": " s p"}
