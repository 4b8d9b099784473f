"""Follows a conversation to replies and forwards inside the tenant (capability D3)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from libs.common.contracts.retraction import Outcome, RetractMail
from services.retractor.domain import guard
from services.retractor.domain.addresses import split_by_domain
from services.retractor.domain.ancestry import Ancestor, Descent, as_ancestor, descendants
from services.retractor.domain.mail import FoundCopy, Mailbox
from services.retractor.domain.retraction import Copy, Retraction, Search, found_copy, left_out
from services.retractor.ports.ledger import Transaction
from services.retractor.workers.bench import Bench


@dataclass(slots=True)
class Family:
    """What descends from a message, as one mailbox shows it."""

    #: Replies and forwards in this mailbox.
    copies: list[Copy] = field(default_factory=list)
    #: Who else sent or received them, by address: before the guard has seen it.
    joining: dict[str, list[tuple[FoundCopy, Descent]]] = field(default_factory=dict)
    #: External addresses that received one: nobody here can take it back.
    unreachable: set[str] = field(default_factory=set)


async def follow(
    bench: Bench,
    mailbox: Mailbox,
    retraction: Retraction,
    parent: Search,
    accepted: Sequence[FoundCopy],
) -> Family:
    """Return the family of accepted copies, through this mailbox's own conversation ids.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    items: dict[str, FoundCopy] = {}
    for conversation_id in {item.conversation_id for item in accepted if item.conversation_id}:
        for item in await bench.mailboxes.in_conversation(mailbox, conversation_id):
            items[item.graph_message_id] = item
    async with bench.ledger.transaction() as ledger:
        earlier = await ledger.progress.copies(retraction.tenant, retraction.retraction_id)
    ancestors = [as_ancestor(item, parent.depth) for item in accepted]
    ancestors += _elsewhere(earlier)
    found = descendants(
        list(items.values()),
        ancestors,
        max_depth=retraction.depth,
        trust_message_ids=not retraction.colliding,
    )
    return _family(bench, mailbox, retraction, accepted, found)


def _elsewhere(copies: Sequence[Copy]) -> list[Ancestor]:
    """Return what was accepted in other mailboxes; indexes differ there, Message-IDs do not."""
    depths = {
        copy.internet_message_id: copy.depth
        for copy in copies
        if copy.graph_message_id is not None and copy.outcome is not Outcome.REFUSED
    }
    return [Ancestor(message_id, b"", depth, None) for message_id, depth in depths.items()]


def _family(
    bench: Bench,
    mailbox: Mailbox,
    retraction: Retraction,
    accepted: Sequence[FoundCopy],
    found: Sequence[tuple[FoundCopy, Descent]],
) -> Family:
    family = Family()
    tenant = bench.rules.tenant(retraction.tenant)
    domains = () if tenant is None else tenant.domains
    for item in accepted:  # its sender is where it came from, not somebody who got it
        _, outside = split_by_domain(item.participants, domains)
        family.unreachable |= set(outside) - {item.fingerprint.from_address or ""}
    for item, descent in found:
        family.copies.append(
            found_copy(retraction, mailbox, item, descent.depth, descent.matched_by)
        )
        inside, outside = split_by_domain(item.participants, domains)
        family.unreachable |= set(outside)
        if item.internet_message_id:
            for address in inside:
                if address != mailbox.address:
                    family.joining.setdefault(address, []).append((item, descent))
    return family


async def join(
    bench: Bench, ledger: Transaction, retraction: Retraction, family: Family
) -> tuple[list[Search], list[Copy]]:
    """Return the searches in the mailboxes that the guard lets join, and the rows of the others.

    The retraction is locked by the caller: mailboxes that find members of the family at the same
    time are counted one after the other.
    """
    cleared = await _cleared(bench, ledger, retraction, family.joining)
    searches = [
        _search(retraction, address, item, descent)
        for address in cleared.mailboxes
        for item, descent in family.joining[address]
    ]
    reasons = [(cleared.refused, Outcome.REFUSED), (cleared.held, Outcome.UNTOUCHED)]
    copies = [
        left_out(
            retraction,
            address,
            item.internet_message_id or "",
            outcome,
            reason,
            depth=descent.depth,
        )
        for left, outcome in reasons
        for address, reason in left.items()
        for item, descent in family.joining[address]
    ]
    return searches, copies


def _search(retraction: Retraction, address: str, item: FoundCopy, descent: Descent) -> Search:
    return Search(
        tenant=retraction.tenant,
        retraction_id=retraction.retraction_id,
        mailbox=address,
        internet_message_id=item.internet_message_id or "",
        expected=item.fingerprint,
        depth=descent.depth,
        matched_by=descent.matched_by,
        role="recipient",
    )


async def _cleared(
    bench: Bench, ledger: Transaction, retraction: Retraction, joining: Collection[str]
) -> guard.Cleared:
    """Return which mailboxes may join: too many new ones wait, those in it already go on."""
    tenant = bench.rules.tenant(retraction.tenant)
    rights = bench.rules.rights_of(retraction.publisher)
    if not joining:
        return guard.Cleared(())
    if tenant is None or rights is None:
        return guard.Cleared((), refused=dict.fromkeys(joining, guard.NOT_AUTHORISED))
    known = await ledger.progress.mailboxes(retraction.tenant, retraction.retraction_id)
    counts = guard.is_counted(rights) and not retraction.dry_run
    now = bench.clock.now()
    used = await ledger.usage.of_last_hour(retraction.tenant, now) if counts else 0

    def clear(addresses: Sequence[str], touched_before: int, used: int) -> guard.Cleared:
        decision = guard.clear(
            _request(retraction),
            rights,
            tenant,
            addresses,
            touched_before=touched_before,
            used_this_hour=used,
        )
        if isinstance(decision, guard.Cleared):
            return decision
        return guard.Cleared((), held=dict.fromkeys(addresses, decision.reason))

    old = [address for address in joining if address in known]
    inside = clear(old, len(known) - len(old), 0)
    new = clear([address for address in joining if address not in known], len(known), used)
    if counts and new.mailboxes:
        await ledger.usage.count(retraction.tenant, now, len(new.mailboxes))
    return guard.Cleared(
        inside.mailboxes + new.mailboxes, inside.refused | new.refused, inside.held | new.held
    )


def _request(retraction: Retraction) -> guard.Request:
    return guard.Request(
        publisher=retraction.publisher,
        type=RetractMail.type,
        tenant=retraction.tenant,
        destination=retraction.wish.destination,
        automatic=retraction.wish.automatic,
    )
