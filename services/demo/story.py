"""What happens in the demonstration, in order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from libs.common.broker.port import Publisher
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.clock import Clock
from libs.common.contracts import Contract
from libs.common.contracts.retraction import RestoreRetraction, RetractDestination, RetractMail
from libs.common.errors import StartError
from libs.common.terminal import Output
from libs.graph_simulator.admin.admin import Admin
from services.audit.adapters.postgres.reading import PostgresArchive
from services.demo.post import Mail, compose
from services.demo.scenario import DOMAIN, MICROSOFT_TENANT_ID, TENANT
from services.demo.signer import Signer
from services.demo.testimony import Testimony, read

#: Mail comes in a steady stream, not all at once.
_PACE_SECONDS = 0.25
_LOOK_AGAIN_SECONDS = 0.2
_PATIENCE_SECONDS = 60.0
_FORWARDED = "28-payroll-phish"
_RESTORED = "21-parcel"
_KNOWN_UPSTREAM: dict[str, RetractDestination] = {
    "30-survey": "hard_delete",
    "31-conference": "trash",
}
_ANALYST = f"analyst@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on."""

    admin: Admin
    archive: PostgresArchive
    signer: Signer
    clock: Clock
    output: Output
    #: Publishers by name: people's commands, and an upstream system.
    publishers: dict[str, Publisher]


async def play(stage: Stage, mails: list[Mail]) -> Testimony:
    """Play it to its end and return what the record says then.

    Raises:
        StartError: something did not come to its end in time.
    """
    sent = {}
    with stage.output.progress("delivering", len(mails)) as step:
        for mail in mails:
            sent[mail.name] = _deliver(stage, mail)
            step()
            await stage.clock.sleep(_PACE_SECONDS)
    stage.output.note(f"{len(mails)} messages delivered; two colleagues discuss one of them")
    testimony = await _rest(stage, "judged, and taken back as policy says")
    listed = [
        await _command(stage, "soar", _on_block_list(sent[name], destination))
        for name, destination in _KNOWN_UPSTREAM.items()
    ]
    await _rest(stage, "an upstream system had two more taken back", listed)
    asked = await _command(stage, "cli", _with_answers(sent[_FORWARDED]))
    await _rest(stage, "an analyst took back a conversation, three answers deep", [asked])
    asked = await _command(stage, "cli", _back(testimony, sent[_RESTORED]))
    return await _rest(stage, "and put one message back where it was", [asked])


def _deliver(stage: Stage, mail: Mail) -> str:
    """Deliver one message and return its Message-ID; some people are faster than we are."""
    mime = compose(mail, stage.signer, sent_at=stage.clock.now(), tenant_id=MICROSOFT_TENANT_ID)
    message_id = stage.admin.deliver(mime, mail.mail_from, mail.to).internet_message_id
    if mail.name == _FORWARDED:
        first, second = mail.to[0], f"ben.okafor@{DOMAIN}"
        forward = stage.admin.forward(first, message_id, [second], text="Did you get this, too?")
        answer = stage.admin.reply(second, forward.internet_message_id, text="No. Is it real?")
        stage.admin.reply(first, answer.internet_message_id, text="I have not opened it yet.")
    return message_id


def _on_block_list(internet_message_id: str, destination: RetractDestination) -> RetractMail:
    return RetractMail(
        tenant=TENANT,
        retraction_id=uuid4(),
        internet_message_id=internet_message_id,
        destination=destination,
        reason="on an upstream block list",
        requested_by="playbook 7",
    )


def _with_answers(internet_message_id: str) -> RetractMail:
    return RetractMail(
        tenant=TENANT,
        retraction_id=uuid4(),
        internet_message_id=internet_message_id,
        destination="soft_delete",
        depth=3,
        reason="a phish that colleagues discussed",
        requested_by=_ANALYST,
    )


def _back(testimony: Testimony, internet_message_id: str) -> RestoreRetraction:
    return RestoreRetraction(
        tenant=TENANT,
        restore_id=uuid4(),
        retraction_id=_retraction_of(testimony, internet_message_id),
        reason="the parcel is real",
        requested_by=_ANALYST,
    )


def _retraction_of(testimony: Testimony, internet_message_id: str) -> UUID:
    for verdict in testimony.classified.values():
        if verdict.internet_message_id == internet_message_id and verdict.retraction_id:
            return UUID(verdict.retraction_id)
    raise StartError("the message that the demonstration restores was not taken back")


async def _command(stage: Stage, publisher: str, command: Contract) -> str:
    """Publish a command and return the id of its first cause."""
    first_id = str(uuid4())
    cause = Cause(
        message_id=first_id,
        correlation_id=first_id,
        publisher=publisher,
        timestamp=stage.clock.now(),
        is_message=False,
    )
    publish = CausedPublish(stage.publishers[publisher], cause, clock=stage.clock, app_id=publisher)
    await publish(command)
    return first_id


async def _rest(stage: Stage, what: str, asked: Sequence[str] = ()) -> Testimony:
    """Wait until all that was begun has come to its end, and say so."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                testimony = await read(stage.archive)
                reports = len(stage.admin.deliveries())
                if testimony.is_at_rest(reports) and testimony.answered >= set(asked):
                    break
                await stage.clock.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise StartError(
            f"the demonstration waited {_PATIENCE_SECONDS:.0f} s in vain for: {what}"
        ) from None
    stage.output.note(f"{what}: {testimony.events} events on record")
    return testimony
