"""What was decided, in memory. Twin of `PostgresSeenMessages`."""

from collections.abc import Callable

from services.classifier.domain.policy import Decision
from services.classifier.domain.verdict import Verdict, worse
from services.classifier.ports import ReportPart

_Variant = tuple[str, str, str, bool]


class FakeSeenMessages:
    """See `SeenMessages`."""

    def __init__(self) -> None:
        self._decisions: dict[tuple[str, str, int], Decision] = {}
        self._verdicts: dict[_Variant, Verdict] = {}

    async def decision_on(self, report: ReportPart) -> Decision | None:
        """See `SeenMessages.decision_on`."""
        return self._decisions.get((report.tenant, report.report_key, report.part))

    async def verdict_on(self, report: ReportPart) -> Verdict | None:
        """See `SeenMessages.verdict_on`."""
        return self._verdicts.get(_variant(report))

    async def enter(
        self, report: ReportPart, verdict: Verdict, decide: Callable[[Verdict], Decision]
    ) -> Decision:
        """See `SeenMessages.enter`."""
        known = await self.decision_on(report)
        if known is not None:
            return known
        self._verdicts[_variant(report)] = verdict
        for (tenant, key, *_), other in self._verdicts.items():
            if (tenant, key) == (report.tenant, report.message_key):
                verdict = worse(verdict, other)
        decision = decide(verdict)
        self._decisions[report.tenant, report.report_key, report.part] = decision
        return decision


def _variant(report: ReportPart) -> _Variant:
    return (report.tenant, report.message_key, report.original_sha256, report.is_receiver_trusted)
