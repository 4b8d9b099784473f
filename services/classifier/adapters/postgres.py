"""`SeenMessages` in the classifier's own schema."""

from collections.abc import Callable

import asyncpg
from pydantic import TypeAdapter

from libs.common.database.errors import translated
from libs.common.database.statements import statements
from services.classifier.domain.policy import Decision
from services.classifier.domain.verdict import RULES_VERSION, Verdict, worse
from services.classifier.ports import ReportPart

SQL_PACKAGE = "services.classifier.adapters.sql"
_VERDICT = TypeAdapter(Verdict)
_DECISION = TypeAdapter(Decision)


class PostgresSeenMessages:
    """See `SeenMessages`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(SQL_PACKAGE)

    async def decision_on(self, report: ReportPart) -> Decision | None:
        """See `SeenMessages.decision_on`."""
        with translated():
            return await self._decision_on(self._pool, report)

    async def verdict_on(self, report: ReportPart) -> Verdict | None:
        """See `SeenMessages.verdict_on`."""
        with translated():
            found = await self._pool.fetchval(
                self._sql["verdict_on"], *_variant(report), RULES_VERSION
            )
        return None if found is None else _VERDICT.validate_json(found)

    async def enter(
        self, report: ReportPart, verdict: Verdict, decide: Callable[[Verdict], Decision]
    ) -> Decision:
        """See `SeenMessages.enter`."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    self._sql["lock_message"], report.tenant, report.message_key
                )
                known = await self._decision_on(connection, report)
                if known is not None:
                    return known
                decision = decide(await self._gravest(connection, report, verdict))
                await self._keep(connection, report, verdict, decision)
                return decision

    async def _decision_on(
        self, connection: asyncpg.Pool | asyncpg.Connection, report: ReportPart
    ) -> Decision | None:
        found = await connection.fetchval(
            self._sql["decision_on"], report.tenant, report.report_key, report.part
        )
        return None if found is None else _DECISION.validate_json(found)

    async def _gravest(
        self, connection: asyncpg.Connection, report: ReportPart, verdict: Verdict
    ) -> Verdict:
        rows = await connection.fetch(
            self._sql["verdicts_on_message"], report.tenant, report.message_key
        )
        for row in rows:
            verdict = worse(verdict, _VERDICT.validate_json(row["verdict"]))
        return verdict

    async def _keep(
        self,
        connection: asyncpg.Connection,
        report: ReportPart,
        verdict: Verdict,
        decision: Decision,
    ) -> None:
        await connection.execute(
            self._sql["keep_verdict"],
            *_variant(report),
            _VERDICT.dump_json(verdict).decode(),
            verdict.disposition.value,
            RULES_VERSION,
        )
        await connection.execute(
            self._sql["keep_decision"],
            report.tenant,
            report.report_key,
            report.part,
            report.message_key,
            _DECISION.dump_json(decision).decode(),
        )


def _variant(report: ReportPart) -> tuple[str, str, str, bool]:
    return (
        report.tenant,
        report.message_key,
        report.original_sha256,
        report.is_receiver_trusted,
    )
