"""What every `SeenMessages` does."""

import asyncio
from dataclasses import replace

from services.classifier.domain.policy import Decision
from services.classifier.domain.reasons import Reason
from services.classifier.domain.verdict import decide
from services.classifier.ports import ReportPart

REPORT = ReportPart("acme", "a" * 64, 1, "b" * 64, "c" * 64, True)
SECOND = replace(REPORT, report_key="d" * 64)
NONE = decide(())
BAD = decide((Reason("sender_blocked", "“x@evil.example” is blocked"),))


def soft_delete(verdict):
    return Decision(verdict, "soft_delete", "v1")


def leave(verdict):
    return Decision(verdict, "no_action", "v2")


class SeenMessagesContract:
    """Each implementation gives the fixture `seen`, empty."""

    async def test_what_is_new_has_neither_decision_nor_verdict(self, seen):
        assert await seen.decision_on(REPORT) is None
        assert await seen.verdict_on(REPORT) is None

    async def test_a_decision_is_found_again_as_it_was(self, seen):
        decision = await seen.enter(REPORT, BAD, soft_delete)

        assert decision == Decision(BAD, "soft_delete", "v1")
        assert await seen.decision_on(REPORT) == decision
        assert await seen.verdict_on(REPORT) == BAD

    async def test_a_part_that_has_its_decision_keeps_it(self, seen):
        first = await seen.enter(REPORT, NONE, soft_delete)

        assert await seen.enter(REPORT, BAD, leave) == first
        assert await seen.decision_on(REPORT) == first

    async def test_a_second_report_is_decided_by_the_gravest_verdict(self, seen):
        await seen.enter(REPORT, BAD, soft_delete)
        fork = replace(SECOND, original_sha256="e" * 64)

        assert await seen.enter(fork, NONE, leave) == Decision(BAD, "no_action", "v2")
        assert await seen.verdict_on(fork) == NONE

    async def test_parts_of_one_report_are_decided_each(self, seen):
        await seen.enter(REPORT, BAD, soft_delete)

        assert await seen.decision_on(replace(REPORT, part=2)) is None
        assert await seen.verdict_on(replace(REPORT, part=2)) == BAD

    async def test_a_verdict_without_trust_is_none_with_it(self, seen):
        await seen.enter(replace(REPORT, is_receiver_trusted=False), NONE, leave)

        assert await seen.verdict_on(REPORT) is None

    async def test_tenants_do_not_mix(self, seen):
        await seen.enter(REPORT, BAD, soft_delete)
        other = replace(REPORT, tenant="globex")

        assert await seen.decision_on(other) is None
        assert await seen.verdict_on(other) is None
        assert (await seen.enter(other, NONE, leave)).verdict == NONE

    async def test_reports_entered_at_once_all_see_the_gravest_or_come_before_it(self, seen):
        reports = [replace(REPORT, report_key=f"{n:064x}") for n in range(8)]

        decisions = await asyncio.gather(
            *(seen.enter(report, BAD, soft_delete) for report in (*reports, *reports))
        )

        assert set(decisions) == {Decision(BAD, "soft_delete", "v1")}
