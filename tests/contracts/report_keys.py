"""What every book of report keys does. Subclasses give one fixture: `report_keys`."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.ingest.domain.reception import Encryption, Entry, Reception

AT = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
ENTRY = Entry(
    report_key="1" * 64,
    tenant="acme",
    original_sha256="2" * 64,
    envelope_sha256="3" * 64,
    reception=Reception(
        listener="default",
        peer="192.0.2.1",
        encryption=Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        proof="token",
        store_key="acme/2026/01/05/" + "4" * 64,
        sha256="4" * 64,
        size_bytes=5_000_000_000,
        original_offset=1304,
        received_at=AT,
    ),
)
LATER = replace(ENTRY, reception=replace(ENTRY.reception, peer="192.0.2.2", encryption=None))


class ReportKeysContract:
    """One book, seen from outside."""

    async def test_what_was_never_entered_is_not_found(self, report_keys):
        assert await report_keys.find(ENTRY.report_key) is None

    async def test_an_entry_is_found_as_it_was_entered(self, report_keys):
        assert await report_keys.enter(ENTRY) == ENTRY

        assert await report_keys.find(ENTRY.report_key) == ENTRY

    async def test_mail_of_no_tenant_has_its_entry(self, report_keys):
        await report_keys.enter(replace(ENTRY, tenant=None))

        assert await report_keys.find(ENTRY.report_key) == replace(ENTRY, tenant=None)

    async def test_the_first_entry_under_a_key_stands(self, report_keys):
        await report_keys.enter(ENTRY)

        assert await report_keys.enter(LATER) == ENTRY
        assert await report_keys.find(ENTRY.report_key) == ENTRY

    async def test_of_two_entries_at_once_both_callers_get_the_same(self, report_keys):
        both = await asyncio.gather(report_keys.enter(ENTRY), report_keys.enter(LATER))

        assert both[0] == both[1] == await report_keys.find(ENTRY.report_key)

    async def test_an_entry_is_published_once(self, report_keys):
        await report_keys.enter(ENTRY)

        await report_keys.mark_published(ENTRY.report_key, AT)
        await report_keys.mark_published(ENTRY.report_key, AT + timedelta(days=1))

        assert (await report_keys.find(ENTRY.report_key)).published_at == AT

    async def test_entering_again_says_that_it_was_published(self, report_keys):
        await report_keys.enter(ENTRY)
        await report_keys.mark_published(ENTRY.report_key, AT)

        assert (await report_keys.enter(LATER)).published_at == AT

    async def test_marking_what_is_not_there_changes_nothing(self, report_keys):
        await report_keys.mark_published(ENTRY.report_key, AT)

        assert await report_keys.find(ENTRY.report_key) is None
