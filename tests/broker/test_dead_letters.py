"""`undeliver broker dead-letters`, as operators run it, on both brokers."""

import pytest

from libs.common.broker.topology import AUDIT_EVENTS, RETRACTOR_COMMANDS
from libs.common.contracts.operation import DeliveryReplayed
from libs.common.errors import ConfigurationError
from tests.broker.sites import TYPE, OnPostgres, OnRabbit, Site, bury, command, connect, parsed
from tests.commands import Ended, undeliver
from tests.contracts.broker_rig import ids, is_empty, take

REASONS = {"m1": "contract_violated", "m2": "graph_throttled", "m3": "graph_throttled"}


@pytest.fixture
def run(site, broker):
    """Give the command line."""

    async def call(*words: str, as_json: bool = True) -> Ended:
        return await broker(site, "dead-letters", *words, *(["--json"] if as_json else []))

    return call


async def given_letters(site: Site, sent, reasons=REASONS) -> None:
    """Let these messages of soar be given up on, and their copies for audit be taken."""
    async with connect(site, "soar") as soar, connect(site, "retractor") as retractor:
        for message in sent:  # one by one: their order is theirs
            await soar.publish([message])
        sent_ids = [message.message_id for message in sent]
        await bury(retractor, RETRACTOR_COMMANDS, {each: reasons[each] for each in sent_ids})
    async with connect(site, "audit") as audit:
        await take(audit, AUDIT_EVENTS, len(sent))


async def recorded(site: Site, count: int) -> list[DeliveryReplayed]:
    """Return the next messages that reach audit, which all are replays of `cli`."""
    async with connect(site, "audit") as audit:
        deliveries = await take(audit, AUDIT_EVENTS, count)
    assert {(each.publisher, each.message.type) for each in deliveries} == {
        ("cli", "delivery.replayed.v1")
    }
    return [DeliveryReplayed.model_validate_json(each.message.body) for each in deliveries]


class DeadLetterCommands:
    """The same on every broker."""

    @pytest.fixture
    def site(self) -> Site:
        raise LookupError("the class of each broker gives it")

    async def test_letters_are_listed_oldest_first_without_their_bodies(self, site, run):
        await given_letters(site, [command("m1"), command("m2", "globex"), command("m3")])

        listed = await run("list")
        table = await run("list", as_json=False)

        assert (listed.code, listed.err) == (0, "")
        assert [each["message_id"] for each in listed.records] == ["m1", "m2", "m3"]
        assert {key: listed.records[1][key] for key in listed.records[1] if key[-2:] != "id"} == {
            "queue": RETRACTOR_COMMANDS,
            "type": TYPE,
            "tenant": "globex",
            "publisher": "soar",
            "reason": "graph_throttled",
            "attempt": 1,
            "dead_lettered_at": listed.records[1]["dead_lettered_at"],
        }
        assert listed.records[0]["id"] in table.out
        assert "evil.example" not in listed.out + table.out

    async def test_a_list_is_narrowed_by_everything_that_is_said(self, site, run):
        await given_letters(site, [command("m1"), command("m2", "globex"), command("m3")])
        [first, _, last] = (await run("list")).records

        async def found(*words):
            return [each["message_id"] for each in (await run("list", *words)).records]

        assert await found("--reason", "graph_throttled", "--tenant", "acme") == ["m3"]
        assert await found("--since", last["dead_lettered_at"], "--limit", "5") == ["m3"]
        assert await found("--queue", first["queue"], "--limit", "2") == ["m1", "m2"]
        assert await found("--publisher", "classifier") == []
        assert "the first 2: there may be more" in (await run("list", "--limit", "2")).err
        assert (await run("list", "--limit", "4")).err == ""

    async def test_one_letter_is_shown_whole(self, site, run):
        broken = command("m2", body=b'{"tenant": NaN')
        await given_letters(site, [command("m1"), broken])
        [whole, damaged] = (await run("list")).records

        shown = (await run("show", whole["id"])).records[0]
        other = (await run("show", damaged["id"])).records[0]
        for_people = await run("show", whole["id"], as_json=False)
        none = await run("show", "no-such-letter")

        assert shown.items() >= whole.items()
        assert shown["body"]["internet_message_id"] == "<one@evil.example>"
        assert shown["correlation_id"] == "cause-1"
        assert (other["body"], other["body_text"]) == (None, '{"tenant": NaN')
        assert '"internet_message_id": "<one@evil.example>"' in for_people.out
        assert (none.code, none.out) == (1, "")

    async def test_a_replayed_letter_is_back_in_its_queue_and_on_record(self, site, run):
        await given_letters(site, [command("m1"), command("m2")])
        [letter, other] = (await run("list")).records

        words = ("broker", "dead-letters", "replay", letter["id"], "--json")
        ended = await undeliver(*words, "--requested-by", "Dana", **site.settings)
        again = await undeliver(*words, **site.settings)

        assert ended.code == 0, ended.err
        assert ended.records == [{"outcome": "replayed", **letter}]
        assert (again.code, again.records) == (1, [{"outcome": "not_there", "id": letter["id"]}])
        assert [each["id"] for each in (await run("list")).records] == [other["id"]]
        async with connect(site, "retractor") as retractor:
            [back] = await take(retractor, RETRACTOR_COMMANDS)
        assert (back.message.message_id, back.attempt, back.publisher) == ("m1", 1, "soar")
        [record] = await recorded(site, 1)
        assert (record.requested_by, record.publisher, record.tenant) == ("Dana", "soar", "acme")
        assert (record.queue, record.dead_type) == (RETRACTOR_COMMANDS, TYPE)
        assert (record.dead_message_id, record.reason) == ("m1", "contract_violated")

    async def test_letters_are_replayed_by_filter_after_a_look_at_what_would_be(self, site, run):
        await given_letters(site, [command("m1"), command("m2"), command("m3")])
        words = ("replay", "--reason", "graph_throttled", "--type", TYPE)

        rehearsed = await run(*words, "--dry-run")
        unchanged = await run("list")
        ended = await run(*words)

        assert {each["outcome"] for each in rehearsed.records} == {"would_replay"}
        assert len(unchanged.records) == 3
        assert [each["message_id"] for each in ended.records] == ["m2", "m3"]
        async with connect(site, "retractor") as retractor:
            assert ids(await take(retractor, RETRACTOR_COMMANDS, 2)) == ["m2", "m3"]
        assert {each.dead_message_id for each in await recorded(site, 2)} == {"m2", "m3"}
        async with connect(site, "audit") as audit:
            assert await is_empty(audit, AUDIT_EVENTS)  # the rehearsal is no deed

    async def test_all_are_replayed_at_once_and_what_dies_again_waits_for_another_time(
        self, site, run
    ):
        sent = [command(f"m{index}") for index in range(60)]
        await given_letters(site, sent, dict.fromkeys([each.message_id for each in sent], "old"))
        reasons = dict.fromkeys([each.message_id for each in sent], "again")

        async with connect(site, "retractor") as retractor:
            ended = await run("replay", "--all")
            assert [each["outcome"] for each in ended.records] == ["replayed"] * 60, ended.err
            await bury(retractor, RETRACTOR_COMMANDS, reasons)

        left = (await run("list", "--reason", "again")).records
        assert len(left) == 60
        assert not {each["id"] for each in left} & {each["id"] for each in ended.records}
        assert len({each.model_dump_json() for each in await recorded(site, 60)}) == 60


class TestOnPostgres(DeadLetterCommands):
    @pytest.fixture
    async def site(self, database):
        return await OnPostgres(database).declare()


class TestOnRabbit(DeadLetterCommands):
    @pytest.fixture
    async def site(self, vhost):
        return await OnRabbit(vhost).declare()


@pytest.mark.parametrize(
    "words",
    [(), ("--dry-run",), ("--limit", "5"), ("an-id", "--all"), ("--all", "--reason", "spent")],
)
def test_what_to_replay_is_said_in_exactly_one_way(words, monkeypatch):
    monkeypatch.setenv("CLI_AMQP_URL", "amqp://cli:secret@127.0.0.1:1/none")

    with pytest.raises(ConfigurationError, match="in one way: by ID, by filters"):
        parsed("dead-letters", "replay", *words)


@pytest.mark.parametrize("words", [("list",), ("show", "an-id"), ("replay", "--all")])
def test_whoever_is_shown_no_dead_letters_is_not_told_that_there_are_none(words, monkeypatch):
    monkeypatch.setenv("CLI_AMQP_URL", "amqp://soar:secret@127.0.0.1:1/none")

    with pytest.raises(ConfigurationError, match="signs in as soar"):
        parsed("dead-letters", *words)


async def test_a_broker_that_does_not_answer_is_named_without_its_password():
    ended = await undeliver(
        *("broker", "dead-letters", "list"), CLI_AMQP_URL="amqp://cli:hunter2@127.0.0.1:1/none"
    )

    assert ended.code == 1
    assert "broker_unreachable" in ended.err
    assert "hunter2" not in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not ended.out
