"""What the classifier does with each message that it consumes."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from libs.common.blobs.keys import verified
from libs.common.blobs.port import Blobs
from libs.common.broker.publishing import Publish
from libs.common.contracts.mail import MailJournaled
from libs.common.errors import PermanentError
from libs.common.tenants.model import Tenant
from services.classifier import metrics
from services.classifier.domain import policy
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import unparsed
from services.classifier.domain.verdict import Verdict
from services.classifier.ports import Evaluator, ReportPart, Resolver, SeenMessages

_log = structlog.get_logger()


async def classify_mail(
    event: MailJournaled,
    publish: Publish,
    *,
    blobs: Blobs,
    resolver: Resolver,
    evaluator: Evaluator,
    seen: SeenMessages,
    tenants: Callable[[], Mapping[str, Tenant]],
) -> None:
    """Say what a journaled message is, and ask for its retraction where policy wants it.

    A second report of the same message is judged by the gravest verdict so far and asks for its
    own mailboxes. A redelivered one announces again what was decided the first time. What ingest
    could not parse is suspicious, and never retracted.

    Raises:
        PermanentError: `tenant_unknown`; `foreign_blob`, the mail is kept under another tenant;
            `blob_missing`; `blob_corrupt`, what is kept is not the mail that was reported.
        TransientError: the blob store or the database does not answer.
    """
    if event.source.kind not in policy.CLASSIFIED_KINDS and not policy.is_unparsed(event):
        return
    tenant = tenants().get(event.tenant)
    if tenant is None:
        raise PermanentError("tenant_unknown")
    if not event.raw.store_key.startswith(f"{event.tenant}/"):
        raise PermanentError("foreign_blob")
    report = _report(event)
    decision = await seen.decision_on(report)
    if decision is None:
        verdict = await seen.verdict_on(report)
        if verdict is None:
            verdict = await _judge(event, policy.circumstances(event, tenant), blobs, resolver,
                                   evaluator)  # fmt: skip
        decision = await seen.enter(report, verdict, lambda v: policy.decide(v, tenant))
    await publish(*policy.announcements(event, tenant, decision))
    if event.part == 1:
        metrics.classified_total.labels(decision.verdict.disposition, decision.action).inc()
    _log.info(
        "verdict_reached",
        message_key=event.message_key,
        disposition=decision.verdict.disposition.value,
        action=decision.action,
        reasons=[reason.code for reason in decision.verdict.reasons],
    )


def _report(event: MailJournaled) -> ReportPart:
    return ReportPart(
        tenant=event.tenant,
        report_key=event.report_key,
        part=event.part,
        message_key=event.message_key,
        original_sha256=event.raw.original_sha256,
        is_receiver_trusted=policy.is_receiver_trusted(event),
    )


async def _judge(
    event: MailJournaled,
    about: Circumstances,
    blobs: Blobs,
    resolver: Resolver,
    evaluator: Evaluator,
) -> Verdict:
    if policy.is_unparsed(event):
        return unparsed(event.flags)
    raw = await blobs.get(
        event.raw.store_key,
        offset=event.raw.original_offset,
        size_bytes=event.raw.original_size_bytes,
    )
    # Hashing 150 MB takes a tenth of a second, which the loop does not have.
    await asyncio.to_thread(verified, raw, event.raw.original_sha256)
    records = await _records(resolver, await evaluator.questions(raw))
    return await evaluator.judge(raw, about.with_records(records))


async def _records(resolver: Resolver, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Ask for all names at once; those without an answer are left out."""
    async with asyncio.TaskGroup() as group:
        asked = {name: group.create_task(resolver.txt(name)) for name in names}
    answers = {name: task.result() for name, task in asked.items()}
    return {name: answer for name, answer in answers.items() if answer is not None}
