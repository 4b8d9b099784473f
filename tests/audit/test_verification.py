"""Whoever changes the record behind our back is found out."""

from datetime import timedelta
from hashlib import sha256

import pytest

from services.audit.adapters.postgres.reading import PostgresArchive, verify
from services.audit.domain.verification import Difference
from tests.audit.messages import MADE_AT, copy_settled, delivery, entry, retract

COLUMNS = {
    "message_id": "'other'",
    "type": "'mail.read.v1'",
    "publisher": "'cli'",
    "tenant": "'globex'",
    "correlation_id": "'other'",
    "causation_id": "'other'",
    "app_id": "'other'",
    "traceparent": "'other'",
    "made_at": "made_at + interval '1 microsecond'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
    "body_kind": "'whole'",
    "flags": "array['not_authorised']",
    "refusal": "'type_not_allowed'",
    "edition": "2",
    "public": "convert_to(replace(convert_from(public, 'UTF8'), 'moved', 'failed'), 'UTF8')",
    "personal_hash": "sha256('x')",
    "row_hash": "sha256('x')",
}


@pytest.fixture
def archive(audit_pool):
    return PostgresArchive(audit_pool)


@pytest.fixture
async def five(log):
    """Record five copies and a retraction of another tenant."""
    await log.record([entry(delivery(copy_settled())) for _ in range(5)])
    await log.record([entry(delivery(retract("globex")))])


async def first_break(archive, chain="acme"):
    """Return where a chain first fails, and that all others hold."""
    verification = await verify(archive)
    broken = [report for report in verification.chains if report.first_break]
    assert [report.chain for report in broken] in ([], [chain])
    assert verification.is_intact == (not broken)
    return (broken[0].first_break.number, broken[0].first_break.difference) if broken else None


async def test_a_record_that_nobody_touched_is_intact(archive, five):
    verification = await verify(archive)

    assert verification.is_intact
    assert [(each.chain, each.records, each.erased) for each in verification.chains] == [
        ("acme", 5, 0),
        ("globex", 1, 0),
    ]
    assert verification.chains[0].head in await archive.heads()


async def test_one_chain_can_be_verified_alone(archive, five):
    verification = await verify(archive, "globex")

    assert [report.chain for report in verification.chains] == ["globex"]
    assert verification.records == 1


async def test_a_change_of_any_column_shows(archive, five, superuser):
    await superuser.execute("create temp table honest as select * from log where number = 3")
    row = "where chain = 'acme' and number = 3"
    for column, other in COLUMNS.items():
        assert await superuser.execute(f"update log set {column} = {other} {row}") == "UPDATE 1"

        assert await first_break(archive) == (3, Difference.CONTENT_DIFFERS), column

        await superuser.execute(f"delete from log {row}")
        await superuser.execute("insert into log select * from honest")
    assert await first_break(archive) is None


async def test_a_changed_link_shows(archive, five, superuser):
    await superuser.execute("update log set previous_hash = sha256('x') where number = 3")

    assert await first_break(archive) == (3, Difference.PREVIOUS_HASH_DIFFERS)


async def test_another_recipe_shows(archive, five, superuser):
    await superuser.execute("update log set format = 2 where number = 2")

    assert await first_break(archive) == (2, Difference.FORMAT_UNKNOWN)


@pytest.mark.parametrize("number", [1, 3])
async def test_a_removed_record_shows(number, archive, five, superuser):
    await superuser.execute("delete from log where chain = 'acme' and number = $1", number)

    assert await first_break(archive) == (number, Difference.NUMBER_MISSING)


async def test_records_in_another_order_show(archive, five, superuser):
    for before, after in ((2, 99), (3, 2), (99, 3)):
        await superuser.execute(
            "update log set number = $2 where chain = 'acme' and number = $1", before, after
        )

    number, difference = await first_break(archive)
    assert (number, difference) == (2, Difference.PREVIOUS_HASH_DIFFERS)


async def test_a_record_that_was_squeezed_in_shows(archive, five, superuser):
    """All records after it are renumbered, as a careful forger would."""
    for number in (5, 4, 3):
        await superuser.execute(
            "update log set number = number + 1 where chain = 'acme' and number = $1", number
        )
    await superuser.execute(
        "create temp table forged as select * from log where chain = 'acme' and number = 2"
    )
    await superuser.execute("update forged set number = 3, message_id = 'forged'")
    await superuser.execute("insert into log select * from forged")

    assert await first_break(archive) == (3, Difference.PREVIOUS_HASH_DIFFERS)


async def test_a_tail_that_was_cut_shows(archive, five, superuser):
    await superuser.execute("delete from log where chain = 'acme' and number > 3")

    assert await first_break(archive) == (4, Difference.TAIL_MISSING)


async def test_a_chain_that_was_emptied_shows(archive, five, superuser):
    await superuser.execute("delete from log where chain = 'acme'")

    assert await first_break(archive) == (1, Difference.TAIL_MISSING)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("update heads set number = 4 where chain = 'acme'", Difference.HEAD_DIFFERS),
        ("update heads set row_hash = sha256('x') where chain = 'acme'", Difference.HEAD_DIFFERS),
        ("delete from heads where chain = 'acme'", Difference.HEAD_MISSING),
    ],
)
async def test_a_changed_head_shows(change, difference, archive, five, superuser):
    await superuser.execute(change)

    assert await first_break(archive) == (5, difference)


@pytest.mark.parametrize("column", ["salt", "content"])
async def test_changed_personal_bytes_show(column, archive, five, superuser):
    await superuser.execute(
        f"update personal set {column} = sha256('x') where chain = 'acme' and number = 3"
    )

    assert await first_break(archive) == (3, Difference.PERSONAL_DIFFERS)


async def test_erased_personal_bytes_are_no_break(archive, five, audit_pool):
    await audit_pool.execute("delete from personal where chain = 'acme' and number in (2, 5)")

    verification = await verify(archive)

    assert verification.is_intact
    assert [report.erased for report in verification.chains] == [2, 0]


async def test_a_person_erased_cannot_be_searched_for(audit_pool, five):
    await audit_pool.execute("delete from personal where chain = 'acme' and number > 1")

    left = await audit_pool.fetch(
        "select distinct kind from marks where chain = 'acme' and number > 1"
    )

    assert [row["kind"] for row in left] == ["retraction"]
    assert await audit_pool.fetchval("select count(*) from marks where kind = 'mailbox'") == 2


async def test_nothing_that_stays_lets_a_guess_of_the_erased_body_be_proved(log, audit_pool):
    message = delivery(retract())
    await log.record([entry(message)])
    await audit_pool.execute("delete from personal")

    digest = sha256(message.message.body)
    rows = await audit_pool.fetch("select l.*, e.*, m.* from log l, entries e, marks m")
    kept = [value for row in rows for value in row.values() if isinstance(value, bytes | str)]
    assert not {digest.hexdigest(), digest.digest()} & set(kept)
    assert not [
        value for value in kept if b"sha256" in (value if isinstance(value, bytes) else b"")
    ]


async def test_a_message_that_comes_again_after_its_erasure_is_kept(log, archive, audit_pool):
    message = delivery(copy_settled(settled_at=MADE_AT + timedelta(seconds=1)))
    await log.record([entry(message)])
    await audit_pool.execute("delete from personal")

    assert list(await log.record([entry(message)])) == ["conflicting"]
    assert list(await log.record([entry(message)])) == ["duplicate"]
    assert (await verify(archive)).is_intact
