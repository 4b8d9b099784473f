"""The tenants' mailboxes in Microsoft 365. See `ports.mailboxes`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote
from weakref import WeakValueDictionary

from libs.common.clock import Clock
from libs.common.errors import PermanentError
from libs.common.tenants.model import Tenant
from services.retractor.adapters.graph.answers import Answer, failure
from services.retractor.adapters.graph.connection import query
from services.retractor.adapters.graph.connections import Connections, Endpoints
from services.retractor.adapters.graph.items import EXPAND, SELECT, found_copy
from services.retractor.domain.addresses import normalised
from services.retractor.domain.mail import FoundCopy, Mailbox
from services.retractor.ports.mailboxes import Folder, Move, Moved

#: Graph allows four calls of one application in one mailbox at a time (Throttling limits, Outlook).
_PER_MAILBOX = 3
_PAGE = 50
#: A conversation longer than this is cut: a list's thread, not a phish and its replies.
_MAX_PAGES = 20
_NO_RECEIPT = [
    {"id": "Boolean 0x0C06", "value": "false"},  # PidTagNonReceiptNotificationRequested
    {"id": "Boolean 0x0029", "value": "false"},  # PidTagReadReceiptRequested
]


class GraphMailboxes:
    """See `Mailboxes`. Each call goes by the configuration in force."""

    def __init__(
        self, tenant_of: Callable[[str], Tenant | None], endpoints: Endpoints, clock: Clock
    ) -> None:
        self._clock = clock
        self._connections = Connections(tenant_of, endpoints, clock)
        self._all = asyncio.Semaphore(endpoints.calls_at_once)
        self._each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()

    async def retire_outdated(self) -> None:
        """Close the connections that the configuration in force does not want any more."""
        await self._connections.retire_outdated()

    async def resolve(self, tenant: str, address: str) -> Mailbox | None:
        """See `Directory.resolve`."""
        literal = _literal(f"smtp:{address.lower()}")
        upper = _literal(f"SMTP:{address.lower()}")  # the primary address is marked so
        parameters = {
            "$filter": f"proxyAddresses/any(p:p eq {literal} or p eq {upper})",
            "$select": "id,mail,userPrincipalName",
            "$top": "2",
        }
        path = f"/users?{query(parameters)}"
        async with self._all:
            answer = await self._connections.of(tenant).send(
                "users", "GET", path, immutable_ids=False
            )
        self._check(answer)
        users = [one for one in answer.body.get("value", []) if isinstance(one, dict)]
        if len(users) > 1:
            raise PermanentError("mailbox_ambiguous")
        if not users or not isinstance(users[0].get("id"), str):
            return None
        return Mailbox(tenant, address, users[0]["id"])

    async def addresses(self, mailbox: Mailbox) -> Sequence[str]:
        """See `Directory.addresses`."""
        path = f"{_root(mailbox)}?{query({'$select': 'proxyAddresses'})}"
        async with self._all:
            answer = await self._connections.of(mailbox.tenant).send(
                "users", "GET", path, immutable_ids=False
            )
        self._check(answer)
        return normalised({mailbox.address, *_smtp(answer.body.get("proxyAddresses"))})

    async def folders(self, mailbox: Mailbox, names: Sequence[Folder]) -> Mapping[Folder, str]:
        """See `Directory.folders`."""
        found: dict[Folder, str] = {}
        for name in names:
            path = f"{_root(mailbox)}/mailFolders/{name.value}?{query({'$select': 'id'})}"
            answer = await self._send(mailbox, "folder", "GET", path)
            if answer.status == 404 and answer.code in ("ErrorItemNotFound", "ErrorFolderNotFound"):
                continue
            self._check(answer)
            if isinstance(answer.body.get("id"), str):
                found[name] = answer.body["id"]
        return found

    async def with_message_id(
        self, mailbox: Mailbox, internet_message_id: str, *, within: Folder | None = None
    ) -> Sequence[FoundCopy]:
        """See `Reading.with_message_id`."""
        folder = "" if within is None else f"/mailFolders/{within.value}"
        parameters = {
            "$filter": f"internetMessageId eq {_literal(internet_message_id)}",
            "$select": SELECT,
            "$top": str(_PAGE),
        }
        path = f"{_root(mailbox)}{folder}/messages?{query(parameters)}"
        return await self._pages(mailbox, "find", path)

    async def in_conversation(self, mailbox: Mailbox, conversation_id: str) -> Sequence[FoundCopy]:
        """See `Reading.in_conversation`. Unsorted: with `$orderby` Graph finds it too complex."""
        parameters = {
            "$filter": f"conversationId eq {_literal(conversation_id)}",
            "$select": SELECT,
            "$expand": EXPAND,
            "$top": str(_PAGE),
        }
        path = f"{_root(mailbox)}/messages?{query(parameters)}"
        return await self._pages(mailbox, "conversation", path)

    async def look_up(self, mailbox: Mailbox, graph_message_id: str) -> FoundCopy | None:
        """See `Reading.look_up`."""
        path = f"{_item(mailbox, graph_message_id)}?{query({'$select': SELECT})}"
        answer = await self._send(mailbox, "look_up", "GET", path)
        if _is_gone(answer):
            return None
        self._check(answer)
        return found_copy(answer.body)

    async def move(self, mailbox: Mailbox, graph_message_id: str, folder: str) -> Move:
        """See `Writing.move`."""
        body = json.dumps({"destinationId": folder}).encode()
        path = f"{_item(mailbox, graph_message_id)}/move"
        answer = await self._send(mailbox, "move", "POST", path, body)
        if not answer.is_success:
            return await self._unmoved(mailbox, graph_message_id, answer)
        moved_to = answer.body.get("parentFolderId")
        return Move(Moved.DONE, moved_to if isinstance(moved_to, str) else None)

    async def purge(self, mailbox: Mailbox, graph_message_id: str) -> Move:
        """See `Writing.purge`. Where a cloud lacks permanentDelete, a move to Purges does it."""
        if not self._connections.cloud(mailbox.tenant).has_permanent_delete:
            return await self.move(mailbox, graph_message_id, Folder.PURGES.value)
        path = f"{_item(mailbox, graph_message_id)}/permanentDelete"
        answer = await self._send(mailbox, "purge", "POST", path)
        if answer.is_success:
            return Move(Moved.DONE)
        return await self._unmoved(mailbox, graph_message_id, answer)

    async def mark(
        self,
        mailbox: Mailbox,
        graph_message_id: str,
        *,
        is_read: bool | None = None,
        no_receipt: bool = False,
    ) -> bool:
        """See `Writing.mark`."""
        change: dict[str, object] = {}
        if is_read is not None:
            change["isRead"] = is_read
        if no_receipt:
            change["singleValueExtendedProperties"] = _NO_RECEIPT
        body = json.dumps(change).encode()
        answer = await self._send(mailbox, "mark", "PATCH", _item(mailbox, graph_message_id), body)
        if _is_gone(answer):
            return False
        self._check(answer)
        return True

    async def _unmoved(self, mailbox: Mailbox, graph_message_id: str, answer: Answer) -> Move:
        if answer.code == "ErrorCannotDeleteObject":
            return Move(Moved.BEYOND)
        if answer.code == "ErrorFolderNotFound":
            return Move(Moved.NO_FOLDER)
        if not _is_gone(answer):
            self._check(answer)
        # Graph says the same of an item and of a folder that it cannot find: ask for the item.
        item = await self.look_up(mailbox, graph_message_id)
        return Move(Moved.GONE if item is None else Moved.NO_FOLDER)

    async def _pages(self, mailbox: Mailbox, operation: str, path: str) -> list[FoundCopy]:
        found: dict[str, FoundCopy] = {}
        seen = {path}
        for _ in range(_MAX_PAGES):
            answer = await self._send(mailbox, operation, "GET", path)
            self._check(answer)
            for item in answer.body.get("value") or []:
                copy = found_copy(item) if isinstance(item, dict) else None
                if copy is not None:
                    found[copy.graph_message_id] = copy
            link = answer.body.get("@odata.nextLink")
            if not isinstance(link, str) or link in seen:
                break
            seen.add(link)
            path = link
        return list(found.values())

    async def _send(
        self,
        mailbox: Mailbox,
        operation: str,
        method: str,
        path: str,
        body: bytes | None = None,
    ) -> Answer:
        async with self._turn(mailbox):
            connection = self._connections.of(mailbox.tenant)
            return await connection.send(operation, method, path, body=body)

    @asynccontextmanager
    async def _turn(self, mailbox: Mailbox) -> AsyncIterator[None]:
        """Keep within what Graph allows at a time, for the mailbox and for all of them."""
        key = f"{mailbox.tenant}\n{mailbox.user_id}"
        each = self._each.get(key)
        if each is None:
            each = self._each[key] = asyncio.Semaphore(_PER_MAILBOX)
        async with each, self._all:
            yield

    def _check(self, answer: Answer) -> None:
        if not answer.is_success:
            raise failure(answer, self._clock.now())


def _is_gone(answer: Answer) -> bool:
    return answer.status == 404 and answer.code in ("ErrorItemNotFound", "ErrorMessageNotFound")


def _smtp(proxies: object) -> list[str]:
    """Return the mail addresses among proxy addresses, which may be of other kinds (X500, SIP)."""
    texts = [one for one in proxies if isinstance(one, str)] if isinstance(proxies, list) else []
    split = [text.partition(":") for text in texts]
    return [address for kind, _, address in split if kind.lower() == "smtp"]


def _root(mailbox: Mailbox) -> str:
    return f"/users/{quote(mailbox.user_id, safe='')}"


def _item(mailbox: Mailbox, graph_message_id: str) -> str:
    return f"{_root(mailbox)}/messages/{quote(graph_message_id, safe='')}"


def _literal(text: str) -> str:
    """Return an OData string literal: quotes are doubled, nothing else is special in it."""
    return "'" + text.replace("'", "''") + "'"
