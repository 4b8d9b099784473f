"""The tester's hand in the simulator; over HTTP the same is under `/__sim/`."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from libs.graph_simulator import seed as seeds
from libs.graph_simulator.admin.states import (
    CopyState,
    DeliveryReport,
    all_copies,
    copy_state,
    report,
)
from libs.graph_simulator.graph.failures import Rule
from libs.graph_simulator.graph.service import GraphService
from libs.graph_simulator.journal_sender import JournalSender
from libs.graph_simulator.options import Latency, Throttling
from libs.graph_simulator.world.correspondence import answer, everyone_else
from libs.graph_simulator.world.delivery import Delivery, Placed, PostOffice
from libs.graph_simulator.world.directory import Application, Tenant
from libs.graph_simulator.world.folders import Folder
from libs.graph_simulator.world.mailbox import Kind, Mailbox, Receipt

Deed = Literal["read", "unread", "move", "delete", "soft_delete", "purge", "vanish", "categorize"]
DEEDS: tuple[str, ...] = get_args(Deed)


class AdminError(Exception):
    """What was asked for makes no sense here; the text says why."""


class Admin:
    """Deliver, answer, act as a user, break, and look. Nothing here is throttled or delayed."""

    def __init__(
        self,
        service: GraphService,
        post_office: PostOffice,
        senders: Sequence[JournalSender] = (),
    ) -> None:
        self._service = service
        self._world = service.world
        self._post_office = post_office
        self._senders = senders

    # Mail

    def deliver(self, mime: bytes, mail_from: str, rcpt_to: Sequence[str]) -> DeliveryReport:
        """Deliver a message: a copy per internal recipient, and the internal sender's own."""
        return report(self._post_office.deliver(mime, mail_from, rcpt_to))

    def reply(
        self,
        author: str,
        internet_message_id: str,
        *,
        text: str = "",
        to: Sequence[str] = (),
        cc: Sequence[str] = (),
        bcc: Sequence[str] = (),
        reply_all: bool = False,
    ) -> DeliveryReport:
        """Answer as somebody who has the message, or as somebody outside (without Thread-Index)."""
        parent, is_internal = self._parent(author, internet_message_id)
        all_to, all_cc = everyone_else(parent.item.message, author)
        senders = parent.item.message.people("Reply-To") or parent.item.message.people("From")
        usual = all_to if reply_all else [person.address for person in senders]
        to, cc = list(to) or usual, list(cc) or (all_cc if reply_all else [])
        mime = answer(
            self._world, parent, author=author, to=to, cc=cc, text=text, keeps_index=is_internal
        )
        return self.deliver(mime, author, [*to, *cc, *bcc])

    def forward(
        self,
        author: str,
        internet_message_id: str,
        to: Sequence[str],
        *,
        text: str = "",
        bcc: Sequence[str] = (),
    ) -> DeliveryReport:
        """Forward as somebody who has the message."""
        parent, is_internal = self._parent(author, internet_message_id)
        mime = answer(
            self._world,
            parent,
            author=author,
            to=to,
            text=text,
            is_forward=True,
            keeps_index=is_internal,
        )
        return self.deliver(mime, author, [*to, *bcc])

    def act(
        self,
        mailbox: str,
        deed: Deed,
        *,
        internet_message_id: str | None = None,
        immutable_id: str | None = None,
        folder: str = "",
        categories: Sequence[str] = (),
    ) -> list[CopyState]:
        """Do as the mailbox's owner to one copy, or to all of a Message-ID.

        `delete` is the key Del (from Deleted Items: to Recoverable Items), `soft_delete` is
        Shift+Del, `purge` empties Recoverable Items, `vanish` is the end of retention.
        """
        tenant, box = self._find(mailbox)
        copies = [
            Placed(tenant, box, item)
            for item in box
            if (
                internet_message_id is None
                or item.message.internet_message_id == internet_message_id
            )
            and (immutable_id is None or box.id_of(item, immutable=True) == immutable_id)
        ]
        for copy in copies:
            self._act(copy, deed, folder, tuple(categories))
        return [copy_state(one.tenant, one.mailbox, one.item) for one in copies if deed != "vanish"]

    # Truth

    def copies(
        self,
        *,
        internet_message_id: str | None = None,
        mailbox: str | None = None,
        tenant: str | None = None,
    ) -> list[CopyState]:
        """Describe all copies in all mailboxes, or those asked for."""
        return all_copies(
            self._world, internet_message_id=internet_message_id, mailbox=mailbox, tenant=tenant
        )

    def receipts(self) -> list[Receipt]:
        """What senders were told about being read or deleted unread."""
        return [one for _, mailbox in self._world.mailboxes() for one in mailbox.receipts]

    def deliveries(self, after: int = 0) -> list[Delivery]:
        """Return what was delivered after that number, oldest first, with the MIME."""
        return self._post_office.deliveries[after:]

    def on_delivery(self, listener: Callable[[Delivery], None]) -> None:
        """Have each delivery told as it happens; the listener must not block."""
        self._post_office.subscribe(listener)

    def statistics(self) -> dict[str, object]:
        """Calls by operation and mailbox, concurrency, early retries, token requests."""
        counted, throttle = self._service.statistics, self._service.throttle
        return {
            "http_requests": counted.http_requests,
            "batches": counted.batches,
            "batch_sizes": {str(size): count for size, count in counted.batch_sizes.items()},
            "calls": dict(counted.calls),
            "answers": dict(counted.answers),
            "calls_by_mailbox": {name: dict(one) for name, one in counted.by_mailbox.items()},
            "highest_concurrency": throttle.highest_concurrency(),
            "early_retries": counted.early_retries,
            "early_retry_examples": list(counted.early_examples),
            "token_requests": dict(counted.token_requests),
            "journal_reports": dict(sum((one.counts for one in self._senders), Counter())),
        }

    def reset_statistics(self) -> None:
        """Count from zero."""
        self._service.statistics.reset()
        self._service.throttle.forget_highest()

    # Tenants

    def add_tenant(self, tenant: seeds.TenantSeed) -> Tenant:
        """Add a tenant with what it has. AdminError if something is taken."""
        try:
            return seeds.add_tenant(self._world, tenant)
        except ValueError as error:
            raise AdminError(str(error)) from error

    def add_application(self, tenant_id: str, application: seeds.ApplicationSeed) -> Application:
        """Register an application, or replace it."""
        return seeds.add_application(self._world, self.tenant(tenant_id), application)

    def add_mailbox(self, tenant_id: str, mailbox: seeds.MailboxSeed) -> None:
        """Give somebody a mailbox. AdminError if an address is taken."""
        try:
            seeds.add_mailbox(self._world, self.tenant(tenant_id), mailbox)
        except ValueError as error:
            raise AdminError(str(error)) from error

    def set_kind(self, mailbox: str, kind: Kind) -> None:
        """Make a mailbox something else: gone, on-premises, out of scope."""
        self._find(mailbox)[1].kind = kind

    def set_consent(self, tenant_id: str, client_id: str, *, is_consented: bool) -> None:
        """Grant or withdraw: without it no token is issued; issued ones live on."""
        self._application(tenant_id, client_id).is_consented = is_consented

    def revoke_tokens(self, tenant_id: str, client_id: str) -> None:
        """Refuse every token issued until now with 401 and a claims challenge."""
        application = self._application(tenant_id, client_id)
        application.tokens_valid_from = self._world.clock.now().timestamp()

    def tenant(self, tenant_id: str) -> Tenant:
        """Return a tenant. AdminError if there is none."""
        tenant = self._world.tenants.get(tenant_id.lower())
        if tenant is None:
            raise AdminError(f"there is no tenant {tenant_id}")
        return tenant

    # Behaviour

    def add_rule(self, rule: Rule) -> int:
        """Let something fail; returns the rule's number."""
        return self._service.failures.add(rule)

    def rules(self) -> list[dict[str, object]]:
        """The rules in force with how often each has struck."""
        return self._service.failures.listing()

    def remove_rules(self, number: int | None = None) -> None:
        """Take one rule back, or all."""
        self._service.failures.remove(number)

    def set_throttling(self, limits: Throttling) -> None:
        """Change the limits from now on."""
        self._service.throttle.limits = limits

    def set_latency(self, latency: Latency) -> None:
        """Change how long things take from now on."""
        self._service.delays.latency = latency

    def clear_mail(self) -> None:
        """Empty all mailboxes, keep users, folders, applications and rules; count from zero."""
        for _, mailbox in self._world.mailboxes():
            for item in list(mailbox):
                mailbox.remove(item)
            mailbox.receipts.clear()
        self._post_office.deliveries.clear()
        self.reset_statistics()

    def _act(self, copy: Placed, deed: Deed, folder: str, categories: tuple[str, ...]) -> None:
        box, item, now = copy.mailbox, copy.item, self._world.clock.now()
        if deed in {"read", "unread"}:
            box.mark_read(item, deed == "read", now)
        elif deed == "categorize":
            item.categories = categories
        elif deed == "vanish":
            box.remove(item)
        else:
            box.move(item, self._target(box, item.folder, deed, folder), now, "user")

    def _target(self, box: Mailbox, current: int, deed: Deed, folder: str) -> Folder:
        if deed == "move":
            try:
                return box.well_known(folder.lower())
            except KeyError:
                return box.create_folder(folder)
        if deed == "purge":
            return box.purges()
        is_trash = box.folder_name(current) == "deleteditems"
        return (
            box.deletions() if deed == "soft_delete" or is_trash else box.well_known("deleteditems")
        )

    def _parent(self, author: str, internet_message_id: str) -> tuple[Placed, bool]:
        """Find the copy that is answered: the author's own, or anybody's for one outside."""
        found = self._world.find_address(author)
        places = [found] if found else list(self._world.mailboxes())
        for tenant, mailbox in places:
            for item in mailbox.with_message_id(internet_message_id):
                return Placed(tenant, mailbox, item), found is not None
        raise AdminError(f"{author} has no copy of {internet_message_id}")

    def _find(self, address: str) -> tuple[Tenant, Mailbox]:
        found = self._world.find_address(address)
        if found is None:
            raise AdminError(f"there is no mailbox {address}")
        return found

    def _application(self, tenant_id: str, client_id: str) -> Application:
        application = self.tenant(tenant_id).applications.get(client_id)
        if application is None:
            raise AdminError(f"tenant {tenant_id} has no application {client_id}")
        return application
