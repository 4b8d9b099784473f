"""How mail gets into mailboxes, and what answers and forwards look like there."""

import base64

import pytest

from libs.graph_simulator.admin.admin import AdminError
from libs.graph_simulator.admin.states import CopyState
from libs.graph_simulator.options import Options
from libs.graph_simulator.server import Simulator
from libs.graph_simulator.world.messages import read
from tests.graph_simulator.client import Graph
from tests.graph_simulator.samples import ALICE, BOB, CAROL, EVE, PHISH, mail


def where(copies: tuple[CopyState, ...] | list[CopyState]) -> list[tuple[str, str]]:
    return [(one.mailbox, one.folder) for one in copies]


def index(copy: CopyState) -> bytes:
    return base64.b64decode(copy.conversation_index)


async def test_each_internal_recipient_gets_one_copy_in_the_inbox(simulator: Simulator):
    recipients = [
        ALICE,
        "A.Smith@contoso.example",
        BOB,
        "x@outside.example",
        "no_mailbox@contoso.example",
    ]

    report = simulator.admin.deliver(mail(), EVE, recipients)

    assert where(report.copies) == [(ALICE, "inbox"), (BOB, "inbox")]
    assert report.elsewhere == ("x@outside.example", "no_mailbox@contoso.example")
    assert not any(copy.is_read or copy.is_sent or copy.moved_at for copy in report.copies)


async def test_an_internal_sender_keeps_a_read_copy_in_sent_items(simulator: Simulator):
    report = simulator.admin.deliver(mail(sender=ALICE), ALICE, [BOB])

    assert where(report.copies) == [(BOB, "inbox"), (ALICE, "sentitems")]
    assert report.copies[1].is_sent
    assert report.copies[1].is_read


async def test_bcc_recipients_show_in_the_sender_s_copy_only(graph: Graph, simulator: Simulator):
    extra = f"Bcc: {CAROL},\n Hidden <hidden@outside.example>\n"
    simulator.admin.deliver(mail(sender=ALICE, extra=extra), ALICE, [BOB, CAROL])

    async def bcc(user: str) -> list[str]:
        (found,) = await graph.find(user, PHISH)
        return [one["emailAddress"]["address"] for one in found["bccRecipients"]]

    assert await bcc(ALICE) == [CAROL, "hidden@outside.example"]
    assert await bcc(BOB) == await bcc(CAROL) == []


async def test_mail_without_message_id_gets_one_for_all_copies(simulator: Simulator):
    mime = b"From: eve@evil.example\r\nSubject: x\r\n\r\nbody\r\n"

    report = simulator.admin.deliver(mime, EVE, [ALICE, BOB])

    assert report.internet_message_id.endswith("@evil.example>")
    assert {copy.internet_message_id for copy in report.copies} == {report.internet_message_id}
    assert simulator.admin.deliveries()[0].mime.endswith(mime)


async def test_a_mailbox_out_of_the_application_s_scope_still_gets_mail(simulator: Simulator):
    report = simulator.admin.deliver(mail(), EVE, ["out_of_scope@contoso.example"])

    assert where(report.copies) == [("out_of_scope@contoso.example", "inbox")]


async def test_mail_crosses_tenants(simulator: Simulator):
    report = simulator.admin.deliver(mail(), ALICE, ["dora@fabrikam.example"])

    assert len({copy.tenant for copy in report.copies}) == 2


async def test_an_answer_continues_the_conversation_of_the_copy_answered(simulator: Simulator):
    parent = {
        copy.mailbox: copy for copy in simulator.admin.deliver(mail(), EVE, [ALICE, BOB]).copies
    }

    report = simulator.admin.reply(ALICE, PHISH, to=[BOB, EVE], text="Is this right?")

    bobs, alices = report.copies
    assert where(report.copies) == [(BOB, "inbox"), (ALICE, "sentitems")]
    assert bobs.subject == "RE: Your invoice"
    assert index(bobs) == index(alices)
    assert index(bobs)[:22] == index(parent[ALICE])
    assert (len(index(bobs)), bobs.conversation_depth) == (27, 1)
    assert alices.conversation_id == parent[ALICE].conversation_id
    assert bobs.conversation_id != parent[BOB].conversation_id


async def test_an_answer_names_its_parent_and_all_before(simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [ALICE])
    first = simulator.admin.reply(ALICE, PHISH, to=[BOB]).internet_message_id
    simulator.admin.reply(BOB, first)

    message = read(simulator.admin.deliveries()[-1].mime)

    assert message.first("In-Reply-To") == first
    assert (message.first("References") or "").split() == [PHISH, first]
    assert message.subject == "RE: Your invoice"
    assert [one.address for one in message.people("To")] == [ALICE]
    assert simulator.admin.copies(mailbox=BOB)[-1].conversation_depth == 2


async def test_a_long_message_id_is_named_as_it_is(simulator: Simulator):
    name = f"<{'x' * 200}@evil.example>"
    simulator.admin.deliver(mail(message_id=name), EVE, [ALICE])

    simulator.admin.reply(ALICE, name, to=[BOB])

    mime = simulator.admin.deliveries()[-1].mime
    assert f"In-Reply-To: {name}\r\n".encode() in mime
    assert b"\n" not in mime.replace(b"\r\n", b"")


async def test_a_forward_does_so_too(simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [ALICE])

    report = simulator.admin.forward(ALICE, PHISH, [CAROL], bcc=[BOB])

    message = read(simulator.admin.deliveries()[-1].mime)
    assert where(report.copies) == [(CAROL, "inbox"), (BOB, "inbox"), (ALICE, "sentitems")]
    assert message.subject == "FW: Your invoice"
    assert message.first("In-Reply-To") == PHISH
    assert report.copies[0].conversation_depth == 1


async def test_reply_all_goes_to_everybody_else(simulator: Simulator):
    simulator.admin.deliver(mail(extra=f"Cc: {CAROL}\n"), EVE, [ALICE, BOB, CAROL])

    report = simulator.admin.reply(BOB, PHISH, reply_all=True)

    message = read(simulator.admin.deliveries()[-1].mime)
    assert [one.address for one in message.people("To")] == [EVE, ALICE]
    assert [one.address for one in message.people("Cc")] == [CAROL]
    assert where(report.copies) == [(ALICE, "inbox"), (CAROL, "inbox"), (BOB, "sentitems")]


async def test_an_answer_from_outside_begins_another_conversation(simulator: Simulator):
    (parent,) = simulator.admin.deliver(mail(), EVE, [ALICE]).copies

    (copy,) = simulator.admin.reply(EVE, PHISH, to=[ALICE]).copies

    message = read(simulator.admin.deliveries()[-1].mime)
    assert message.first("Thread-Index") is None
    assert message.first("In-Reply-To") == PHISH
    assert copy.conversation_id != parent.conversation_id


async def test_nobody_answers_what_he_has_not(simulator: Simulator):
    with pytest.raises(AdminError):
        simulator.admin.reply(ALICE, PHISH)


@pytest.mark.parametrize("options", [Options(new_conversation="topic_hash")])
async def test_conversations_may_follow_the_topic(simulator: Simulator):
    one = simulator.admin.deliver(mail(message_id="<1@x>"), EVE, [ALICE, BOB]).copies
    two = simulator.admin.deliver(mail(message_id="<2@x>"), EVE, [BOB]).copies

    assert len({copy.conversation_guid for copy in (*one, *two)}) == 1


async def test_users_act_meanwhile(simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [ALICE, BOB])

    def act(deed: str, **how: object) -> CopyState:
        (changed,) = simulator.admin.act(ALICE, deed, internet_message_id=PHISH, **how)  # type: ignore[arg-type]
        return changed

    assert act("read").is_read
    assert act("categorize", categories=["Red"]).categories == ("Red",)
    assert act("move", folder="Projects/2027").folder == "Projects/2027"
    assert act("delete").folder == "deleteditems"
    assert act("delete").folder == "recoverableitemsdeletions"
    assert act("purge").folder == "recoverableitemspurges"
    assert [one.by for one in act("unread").history] == ["user"] * 4
    simulator.admin.act(ALICE, "vanish", internet_message_id=PHISH)
    assert where(simulator.admin.copies()) == [(BOB, "inbox")]


async def test_hostile_headers_do_no_harm(graph: Graph, simulator: Simulator):
    extra = (
        "From: Second <second@evil.example>\nReferences: " + "<a@b> " * 3000 + "\n"
        "Thread-Index: !!!\nDate: not a date\nX-Bytes: \udcff\udcfe\n"
        "Subject: =?utf-8?B?////?= =?nonsense?Q?x?=\n"
    )
    text = mail(message_id="<odd@x>").decode()
    mime = (extra + text).replace("\n", "\r\n").replace("\r\r", "\r")

    simulator.admin.deliver(mime.encode("utf-8", "surrogateescape"), EVE, [BOB])

    (found,) = await graph.find(BOB, "<odd@x>")
    assert found["from"]["emailAddress"]["address"] == "second@evil.example"


async def test_deliveries_are_told_as_they_happen(simulator: Simulator):
    told = []
    simulator.admin.on_delivery(told.append)

    simulator.admin.deliver(mail(), EVE, [BOB])

    (delivery,) = told
    assert (delivery.mime, delivery.mail_from, delivery.rcpt_to) == (mail(), EVE, (BOB,))
    assert delivery.copies[0].mailbox.address == BOB


async def test_emptied_mailboxes_keep_their_owners(graph: Graph, simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [BOB])

    simulator.admin.clear_mail()

    assert simulator.admin.copies() == []
    assert simulator.admin.deliveries() == []
    assert await graph.find(BOB, PHISH) == []
