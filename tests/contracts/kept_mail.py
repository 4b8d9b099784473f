"""What every list of kept mail does. Subclasses give `report_keys`, and `kept_mail` of the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.report_keys import AT, ENTRY

DAY = timedelta(days=1)


async def entered(report_keys, tenant, number, at, *, is_published=True):
    """Enter one report, and return its key."""
    key = f"{tenant or ''}{number}"
    store_key = f"{tenant or '-'}/{at:%Y/%m/%d}/{number:064}"
    reception = replace(ENTRY.reception, received_at=at, store_key=store_key)
    await report_keys.enter(replace(ENTRY, report_key=key, tenant=tenant, reception=reception))
    if is_published:
        await report_keys.mark_published(key, at)
    return key


async def keys_before(kept_mail, tenant, before, limit=10):
    return [each.report_key for each in await kept_mail.received_before(tenant, before, limit)]


class KeptMailContract:
    """One book, read by age."""

    async def test_of_an_empty_book_nothing_is_kept(self, kept_mail):
        assert list(await kept_mail.tenants()) == []
        assert list(await kept_mail.received_before("acme", AT, 10)) == []

    @pytest.mark.parametrize("tenant", ["acme", None])
    async def test_the_oldest_come_first_and_no_more_than_asked_for(
        self, report_keys, kept_mail, tenant
    ):
        for number in (3, 1, 2, 4):
            await entered(report_keys, tenant, number, AT + number * DAY)

        found = await keys_before(kept_mail, tenant, AT + 4 * DAY, 2)
        all_found = await keys_before(kept_mail, tenant, AT + 4 * DAY)

        assert found == [f"{tenant or ''}1", f"{tenant or ''}2"]
        assert all_found == [f"{tenant or ''}{number}" for number in (1, 2, 3)]

    @pytest.mark.parametrize("tenant", ["acme", None])
    async def test_what_follows_the_last_of_a_former_answer_is_given_once(
        self, report_keys, kept_mail, tenant
    ):
        for number in range(5):
            await entered(report_keys, tenant, number, AT + number // 3 * DAY)

        found, last = [], None
        while page := await kept_mail.received_before(tenant, AT + 2 * DAY, 2, last):
            found += [mail.report_key for mail in page]
            last = page[-1]

        assert found == [f"{tenant or ''}{number}" for number in range(5)]

    async def test_each_is_its_own_tenants(self, report_keys, kept_mail):
        for tenant in ("globex", "acme", None, "initech"):
            for number in (1, 2):
                await entered(report_keys, tenant, number, AT)

        assert sorted(await kept_mail.tenants()) == ["acme", "globex", "initech"]
        assert await keys_before(kept_mail, "globex", AT + DAY) == ["globex1", "globex2"]
        assert await keys_before(kept_mail, None, AT + DAY) == ["1", "2"]

    async def test_it_says_where_the_mail_is_and_since_when(self, report_keys, kept_mail):
        await entered(report_keys, "acme", 1, AT)

        (mail,) = await kept_mail.received_before("acme", AT + DAY, 10)

        assert (mail.store_key, mail.received_at) == (f"acme/2026/01/05/{1:064}", AT)

    async def test_what_is_deleted_is_kept_no_more_and_its_report_stays_known(
        self, report_keys, kept_mail
    ):
        gone = await entered(report_keys, "acme", 1, AT)
        await entered(report_keys, "acme", 2, AT)

        await kept_mail.mark_deleted([gone], AT)
        await kept_mail.mark_deleted([gone], AT + DAY)

        assert await keys_before(kept_mail, "acme", AT + DAY) == ["acme2"]
        assert (await report_keys.find(gone)).published_at == AT

    async def test_a_tenant_of_whom_nothing_is_kept_is_not_named(self, report_keys, kept_mail):
        await entered(report_keys, "acme", 1, AT)
        gone = await entered(report_keys, "globex", 1, AT)

        await kept_mail.mark_deleted([gone], AT)

        assert list(await kept_mail.tenants()) == ["acme"]

    async def test_a_report_that_was_never_announced_is_forgotten(self, report_keys, kept_mail):
        never = await entered(report_keys, "acme", 1, AT, is_published=False)

        await kept_mail.mark_deleted([never], AT)

        assert await report_keys.find(never) is None
        assert list(await kept_mail.tenants()) == []
