"""A journaled message gets its verdict, and its retraction where policy wants one."""

from base64 import b64encode
from functools import partial
from hashlib import sha256

import pytest
from structlog.testing import capture_logs

from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.contracts.mail import MailClassified
from libs.common.contracts.retraction import RetractMail
from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.model import Policy
from services.classifier.handlers import classify_mail
from tests.classifier.letters import letter
from tests.classifier.reports import WHEN, WRAPPER, journaled, store_key, tenant
from tests.fakes.blobs import FakeBlobs
from tests.fakes.evaluator import FakeEvaluator
from tests.fakes.resolver import FakeResolver
from tests.fakes.seen_messages import FakeSeenMessages

BAD = letter(attachments=(("a.exe", b"x"),))
GOOD = letter()


class Rig:
    """The handler with everything around it in memory."""

    def __init__(self, clock) -> None:
        self.blobs, self.resolver = FakeBlobs(), FakeResolver()
        self.evaluator, self.seen = FakeEvaluator(), FakeSeenMessages()
        self.tenants = {"acme": tenant()}
        self.messages: list = []
        self._clock = clock

    async def publish(self, messages) -> None:
        """See `Publisher.publish`."""
        self.messages += messages

    async def classify(self, event, cause: str = "m1") -> list:
        """Handle one delivery and return what it published, as contracts."""
        raw = {store_key(original): WRAPPER + original for original in (BAD, GOOD)}
        self.blobs.contents.update(raw)
        before = len(self.messages)
        handle = partial(
            classify_mail,
            blobs=self.blobs,
            resolver=self.resolver,
            evaluator=self.evaluator,
            seen=self.seen,
            tenants=lambda: self.tenants,
        )
        origin = Cause(cause, cause, "ingest", WHEN)
        await handle(event, CausedPublish(self, origin, clock=self._clock, app_id="classifier"))
        kinds = {kind.type: kind for kind in (MailClassified, RetractMail)}
        return [kinds[m.type].model_validate_json(m.body) for m in self.messages[before:]]


@pytest.fixture
def rig(clock):
    return Rig(clock)


async def test_a_bad_message_is_announced_and_retracted_from_our_mailboxes(rig):
    classified, retract = await rig.classify(journaled(BAD))

    assert (classified.disposition, classified.action) == ("malicious", "soft_delete")
    assert classified.attributes == ("executable", "external")
    assert classified.retraction_id == str(retract.retraction_id)
    assert retract.mailboxes == ("carla@northwind.example",)
    assert (retract.destination, retract.depth, retract.dry_run) == ("soft_delete", 0, False)
    assert (retract.requested_by, retract.severity) == ("policy", "malicious")
    assert retract.reason == "malicious: executable"
    assert retract.message_key == "b" * 64
    assert retract.headers == journaled(BAD).headers


async def test_a_good_message_is_announced_only(rig):
    (classified,) = await rig.classify(journaled(GOOD))

    assert (classified.disposition, classified.action) == ("none", "no_action")
    assert classified.retraction_id is None


async def test_shipped_policy_retracts_nothing(rig):
    rig.tenants = {"acme": tenant(Policy())}

    (classified,) = await rig.classify(journaled(BAD))

    assert (classified.disposition, classified.action) == ("malicious", "no_action")


async def test_a_redelivery_announces_the_same_under_the_same_ids(rig):
    await rig.classify(journaled(BAD))
    rig.tenants = {"acme": tenant(Policy())}  # changed meanwhile
    await rig.classify(journaled(BAD))

    first, second = rig.messages[:2], rig.messages[2:]
    assert [(m.message_id, m.body) for m in first] == [(m.message_id, m.body) for m in second]
    assert rig.evaluator.judged == 1


async def test_a_second_report_of_the_message_asks_for_its_own_mailboxes(rig):
    _, first = await rig.classify(journaled(BAD))
    other = journaled(BAD, report_key="c" * 64, recipients=("ben@north.example",))
    classified, second = await rig.classify(other, "m2")

    assert classified.disposition == "malicious"
    assert second.mailboxes == ("ben@north.example",)
    assert second.retraction_id != first.retraction_id
    assert rig.evaluator.judged == 1


async def test_each_part_of_a_report_asks_for_its_mailboxes_and_the_first_speaks(rig):
    parts = [
        journaled(BAD, part=n, parts=2, recipients=(f"user{n}@northwind.example",)) for n in (2, 1)
    ]

    (second,) = await rig.classify(parts[0], "m2")
    classified, first = await rig.classify(parts[1], "m1")

    assert second.mailboxes == ("user2@northwind.example",)
    assert first.mailboxes == ("user1@northwind.example",)
    assert classified.retraction_id == str(first.retraction_id) != str(second.retraction_id)


async def test_a_milder_fork_does_not_excuse_a_bad_message(rig):
    await rig.classify(journaled(BAD))

    classified, retract = await rig.classify(journaled(GOOD, report_key="c" * 64), "m2")

    assert classified.disposition == "malicious"
    assert retract.destination == "soft_delete"


async def test_the_internal_senders_own_copy_is_retracted_too(rig):
    event = journaled(BAD, direction="internal", sender="Ben@Northwind.example")

    _, retract = await rig.classify(event)

    assert retract.mailboxes == ("carla@northwind.example", "ben@northwind.example")


async def test_a_forged_internal_sender_has_no_copy_to_retract(rig):
    _, retract = await rig.classify(journaled(BAD, sender="ben@northwind.example"))

    assert retract.mailboxes == ("carla@northwind.example",)


async def test_a_message_to_nobody_here_is_not_retracted(rig):
    (classified,) = await rig.classify(journaled(BAD, recipients=("x@fabrikam.example",)))

    assert (classified.disposition, classified.retraction_id) == ("malicious", None)


async def test_a_message_that_could_not_be_read_is_never_retracted(rig):
    rig.blobs.contents[store_key(b"\0")] = WRAPPER + b"\0"

    (classified,) = await rig.classify(journaled(b"\0"))

    assert (classified.disposition, classified.action) == ("suspicious", "junk")
    assert (classified.retractable, classified.retraction_id) == (False, None)


@pytest.mark.parametrize(
    ("kind", "format_", "disposition"),
    [("journal", "exchange_online", "malicious"), ("journal", "workmail", "none"),
     ("journal", None, "none"), ("copy", None, "none"), ("copy", "exchange_online", "none")],
)  # fmt: skip
async def test_microsofts_word_counts_only_in_its_own_report(rig, kind, format_, disposition):
    raw = letter(headers=(("X-Forefront-Antispam-Report", "SCL:9;CAT:HPHSH;"),))
    rig.blobs.contents[store_key(raw)] = WRAPPER + raw

    classified, *_ = await rig.classify(journaled(raw, kind=kind, format_=format_))

    assert classified.disposition == disposition


@pytest.mark.parametrize(
    ("kind", "flags"),
    [("unknown", ("parse-failed",)), ("unknown", ("no-headers",)), ("copy", ("parse-failed",))],
)
async def test_what_ingest_could_not_parse_is_suspicious_and_stays(rig, kind, flags):
    event = journaled(BAD, kind=kind, format_=None, flags=flags, internet_message_id=None)

    with capture_logs() as events:
        (classified,) = await rig.classify(event)

    assert (classified.disposition, classified.action) == ("suspicious", "junk")
    assert (classified.retractable, classified.retraction_id) == (False, None)
    assert [(r.code, flags[0] in r.detail) for r in classified.reasons] == [("parse_failed", True)]
    assert [e["reasons"] for e in events if e["event"] == "verdict_reached"] == [["parse_failed"]]


@pytest.mark.parametrize("kind", ["report", "validation"])
async def test_what_is_no_mail_of_the_tenant_is_not_classified(rig, kind):
    assert await rig.classify(journaled(BAD, kind=kind)) == []


async def test_a_tenant_that_nobody_knows_is_a_permanent_failure(rig):
    rig.tenants = {}

    with pytest.raises(PermanentError, match="tenant_unknown"):
        await rig.classify(journaled(BAD))


@pytest.mark.parametrize("kind", ["journal", "unknown"])
@pytest.mark.parametrize("place", ["globex", "acme2", "-", "ac"])
async def test_mail_that_is_kept_under_another_tenant_is_not_read(rig, place, kind):
    raw = journaled(BAD).raw
    key = f"{place}/{raw.store_key.partition('/')[2]}"
    rig.blobs.contents[key] = WRAPPER + BAD

    with pytest.raises(PermanentError, match="foreign_blob"):
        await rig.classify(journaled(BAD, kind=kind, raw=raw.model_copy(update={"store_key": key})))
    assert rig.messages == []


@pytest.mark.parametrize(
    "wrong",
    [{"original_sha256": "0" * 64}, {"original_offset": 0}, {"original_size_bytes": len(BAD) - 1}],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_what_is_not_the_mail_that_was_reported_is_neither_judged_nor_remembered(rig, wrong):
    event = journaled(BAD, raw=journaled(BAD).raw.model_copy(update=wrong))

    with pytest.raises(PermanentError, match="blob_corrupt"):
        await rig.classify(event)
    assert rig.evaluator.judged == 0
    classified, _ = await rig.classify(journaled(BAD))
    assert classified.disposition == "malicious"


async def test_an_original_that_was_decoded_stands_behind_what_was_received(rig):
    received = WRAPPER + b64encode(BAD) + b"\r\n"
    key = f"acme/2026/01/05/{sha256(received + BAD).hexdigest()}"
    rig.blobs.contents[key] = received + BAD
    where = {"store_key": key, "original_offset": len(received)}

    classified, _ = await rig.classify(
        journaled(BAD, raw=journaled(BAD).raw.model_copy(update=where))
    )

    assert (classified.disposition, rig.evaluator.judged) == ("malicious", 1)


async def test_a_blob_store_that_is_away_decides_nothing(rig):
    rig.blobs.broken = TransientError("blob_store_unavailable")
    with pytest.raises(TransientError):
        await rig.classify(journaled(BAD))
    rig.blobs.broken = None

    classified, _ = await rig.classify(journaled(BAD))

    assert classified.disposition == "malicious"


async def test_dns_is_asked_before_judging_and_its_silence_changes_nothing(rig):
    rig.resolver.silent = True

    (classified,) = await rig.classify(journaled(GOOD))

    assert rig.resolver.asked == ["_dmarc.fabrikam.example"]
    assert classified.disposition == "none"


async def test_the_log_says_what_was_reached_without_a_word_of_the_mail(rig):
    with capture_logs() as events:
        await rig.classify(journaled(BAD))

    (event,) = [e for e in events if e["event"] == "verdict_reached"]
    assert (event["disposition"], event["reasons"]) == ("malicious", ["executable"])
    assert "fabrikam" not in str(event)


async def test_another_policy_has_another_version(rig):
    first, *_ = await rig.classify(journaled(GOOD))
    rig.tenants = {"acme": tenant(Policy(spam="trash"))}
    second, *_ = await rig.classify(journaled(GOOD, report_key="c" * 64))

    assert first.policy_version != second.policy_version
