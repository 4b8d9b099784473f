"""What every `AuditLog` does."""

import json

from services.audit.domain.chain import Recording
from tests.audit.messages import altered, copy_settled, delivery, entry, retract


class AuditLogContract:
    """Each implementation gives two fixtures: `log`, and `numbers`, which reads it back.

    `await numbers()` returns (chain, number, message_id, edition) in the order of the chains.
    """

    async def test_records_of_a_chain_are_numbered_from_one_without_gaps(self, log, numbers):
        first, second, third = (delivery(copy_settled()) for _ in range(3))

        await log.record([entry(first), entry(second)])
        await log.record([entry(third)])

        ids = [each.message.message_id for each in (first, second, third)]
        assert await numbers() == [("acme", n, ids[n - 1], 1) for n in (1, 2, 3)]

    async def test_each_tenant_has_a_chain_of_its_own(self, log, numbers):
        await log.record([entry(delivery(copy_settled(tenant))) for tenant in ("globex", "acme")])

        assert [(chain, number) for chain, number, _, _ in await numbers()] == [
            ("acme", 1),
            ("globex", 1),
        ]

    async def test_a_message_that_comes_again_is_not_recorded_twice(self, log, numbers):
        again = delivery(retract())

        assert await log.record([entry(again)]) == (Recording.RECORDED,)
        assert await log.record([entry(again, salt=b"t" * 32)]) == (Recording.DUPLICATE,)
        assert len(await numbers()) == 1

    async def test_a_message_twice_in_a_batch_is_recorded_once(self, log, numbers):
        twice = delivery(retract())

        recordings = await log.record([entry(twice), entry(twice)])

        assert recordings == (Recording.RECORDED, Recording.DUPLICATE)
        assert len(await numbers()) == 1

    async def test_another_body_under_the_same_key_is_recorded_once_as_conflicting(
        self, log, numbers
    ):
        honest = delivery(retract(), message_id="same")
        forged = delivery(retract(destination="hard_delete"), message_id="same")
        await log.record([entry(honest)])

        assert await log.record([entry(forged)]) == (Recording.CONFLICTING,)
        assert await log.record([entry(forged)]) == (Recording.DUPLICATE,)
        assert await log.record([entry(honest)]) == (Recording.DUPLICATE,)
        assert await numbers() == [("acme", 1, "same", 1), ("acme", 2, "same", 2)]

    async def test_a_body_that_was_not_understood_is_compared_like_any_other(self, log, numbers):
        message = delivery(retract(), message_id="same", body=b"\xff not json")
        other = delivery(retract(), message_id="same", body=b"\xff nor this")

        recordings = await log.record([entry(message), entry(other), entry(message)])
        again = await log.record([entry(other)])

        assert recordings == (Recording.RECORDED, Recording.CONFLICTING, Recording.DUPLICATE)
        assert again == (Recording.DUPLICATE,)

    async def test_the_same_id_of_two_publishers_is_two_messages(self, log, numbers):
        await log.record([entry(delivery(retract(), message_id="same"))])
        mine = delivery(retract(), publisher="cli", message_id="same")

        assert await log.record([entry(mine)]) == (Recording.RECORDED,)
        assert len(await numbers()) == 2

    async def test_whatever_a_publisher_sends_can_be_recorded(self, log, numbers):
        of = delivery(retract())
        hostile = [
            delivery(retract(), body=b""),
            delivery(retract(), body=b"[" * 100_000),
            delivery(retract(), body=altered(of, extra="\0")),
            delivery(retract(), body=altered(of, disposition={"a": 1}, outcome=["\0"], status=7)),
            delivery(
                retract(), body=altered(of, message_key=None, mailbox=[[1], {"x": None}, "\0"])
            ),
            delivery(retract(requested_by="\0" * 300, reason="\U0001f4a3")),
            delivery(retract(internet_message_id="<" + "é" * 100_000 + ">")),
            delivery(retract(), type="no.such.type", tenant="nobody\0", body=b"null"),
            delivery(retract(), message_id="\ud800" + "x" * 1000, app_id="\0"),
            delivery(retract(), body=json.dumps({"tenant": "acme"}).encode()),
        ]

        recordings = await log.record([entry(each) for each in hostile])

        assert set(recordings) == {Recording.RECORDED}
        assert len(await numbers()) == len(hostile)
