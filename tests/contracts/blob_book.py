"""What every book says about blobs.

Subclasses give `report_keys`, and `kept_mail` and `blob_book` of the same.
"""

from datetime import UTC, datetime, timedelta

from tests.contracts.kept_mail import entered
from tests.contracts.report_keys import AT

DAYS = ["acme/2026/01/06", "-/2026/01/05", "acme/2026/01/05"]


def store_key(number, tenant="acme"):
    return f"{tenant}/2026/01/05/{number:064}"


class BlobBookContract:
    """One book, asked for blobs."""

    async def test_a_book_knows_whether_it_is_empty(self, report_keys, blob_book):
        before = await blob_book.state()
        await entered(report_keys, "acme", 1, AT)

        assert before.is_empty
        assert not (await blob_book.state()).is_empty

    async def test_a_book_tells_its_own_time(self, blob_book):
        assert abs((await blob_book.state()).now - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_what_no_entry_names_is_unknown(self, report_keys, blob_book):
        await entered(report_keys, "acme", 1, AT)
        await entered(report_keys, None, 2, AT)

        asked = [store_key(1), store_key(2), store_key(2, "-"), store_key(3)]
        assert set(await blob_book.unknown(asked)) == {store_key(2), store_key(3)}
        assert list(await blob_book.unknown([])) == []

    async def test_an_entry_that_was_never_announced_names_its_blob(self, report_keys, blob_book):
        await entered(report_keys, "acme", 1, AT, is_published=False)

        assert list(await blob_book.unknown([store_key(1)])) == []

    async def test_an_entry_whose_mail_was_deleted_names_none(
        self, report_keys, kept_mail, blob_book
    ):
        gone = await entered(report_keys, "acme", 1, AT)
        await kept_mail.mark_deleted([gone], AT)

        assert list(await blob_book.unknown([store_key(1)])) == [store_key(1)]

    async def test_a_page_of_a_thousand_is_answered(self, report_keys, blob_book):
        await entered(report_keys, "acme", 7, AT)

        unknown = await blob_book.unknown([store_key(number) for number in range(1000)])

        assert len(unknown) == 999
        assert store_key(7) not in unknown

    async def test_days_are_marked_once_and_for_all(self, blob_book):
        assert list(await blob_book.unswept(DAYS)) == DAYS

        await blob_book.mark_swept(DAYS[:1])
        await blob_book.mark_swept(DAYS[:2])
        await blob_book.mark_swept([])

        assert list(await blob_book.unswept(DAYS)) == DAYS[2:]
