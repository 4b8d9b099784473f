"""The admin API under `/__sim/`: `Admin` over HTTP, JSON in and out."""

import base64
import json
from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from libs.graph_simulator.admin.admin import Admin, AdminError
from libs.graph_simulator.admin.states import jsonable
from libs.graph_simulator.graph.failures import Rule
from libs.graph_simulator.hosts.admin_bodies import (
    Act,
    Deliver,
    Forward,
    Reply,
    Revoke,
    SetConsent,
    SetKind,
)
from libs.graph_simulator.hosts.answers import json_answer
from libs.graph_simulator.options import Latency, Section, Throttling
from libs.graph_simulator.seed import ApplicationSeed, MailboxSeed, TenantSeed

Answer = Callable[[web.Request], Awaitable[web.Response]]
_Body = TypeVar("_Body", bound=Section)


def routes(admin: Admin) -> list[web.RouteDef]:
    """Lay out the paths."""
    host = _AdminHost(admin)
    posts: dict[str, Answer] = {
        "deliver": host.deliver,
        "reply": host.reply,
        "forward": host.forward,
        "act": host.act,
        "tenants": host.add_tenant,
        "tenants/{tenant}/apps": host.add_application,
        "tenants/{tenant}/mailboxes": host.add_mailbox,
        "mailboxes/kind": host.set_kind,
        "consent": host.set_consent,
        "tokens/revoke": host.revoke,
        "rules": host.add_rule,
        "throttling": host.set_throttling,
        "latency": host.set_latency,
        "stats/reset": host.reset_statistics,
        "reset": host.reset,
    }
    gets: dict[str, Answer] = {
        "state": host.state,
        "receipts": host.receipts,
        "deliveries": host.deliveries,
        "rules": host.rules,
        "stats": host.statistics,
    }
    return [
        *(web.post(f"/__sim/{path}", _told(answer)) for path, answer in posts.items()),
        *(web.get(f"/__sim/{path}", _told(answer)) for path, answer in gets.items()),
        web.delete("/__sim/rules", _told(host.remove_rules)),
        web.delete("/__sim/rules/{number}", _told(host.remove_rules)),
    ]


def _told(answer: Answer) -> Answer:
    async def tell(request: web.Request) -> web.Response:
        try:
            return await answer(request)
        except AdminError as error:
            return json_answer(400, {"error": str(error)})
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
                for one in error.errors()
            )
            return json_answer(400, {"error": wrong})

    return tell


def _answer(value: object, status: int = 200) -> web.Response:
    return json_answer(status, jsonable(value))


async def _read(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        body = json.loads(await request.read() or b"{}")
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AdminError("the body is not JSON") from error
    return TypeAdapter(kind).validate_python(body)


class _AdminHost:
    """One method per path."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    async def deliver(self, request: web.Request) -> web.Response:
        body = await _read(request, Deliver)
        report = self._admin.deliver(body.content(), body.sender, body.recipients)
        return _answer(report, 201)

    async def reply(self, request: web.Request) -> web.Response:
        body = await _read(request, Reply)
        return _answer(
            self._admin.reply(
                body.author,
                body.internet_message_id,
                text=body.text,
                to=body.to,
                cc=body.cc,
                bcc=body.bcc,
                reply_all=body.reply_all,
            ),
            201,
        )

    async def forward(self, request: web.Request) -> web.Response:
        body = await _read(request, Forward)
        return _answer(
            self._admin.forward(
                body.author, body.internet_message_id, body.to, text=body.text, bcc=body.bcc
            ),
            201,
        )

    async def act(self, request: web.Request) -> web.Response:
        body = await _read(request, Act)
        changed = self._admin.act(
            body.mailbox,
            body.deed,
            internet_message_id=body.internet_message_id,
            immutable_id=body.immutable_id,
            folder=body.folder,
            categories=body.categories,
        )
        return _answer({"copies": changed})

    async def state(self, request: web.Request) -> web.Response:
        copies = self._admin.copies(
            internet_message_id=request.query.get("internet_message_id"),
            mailbox=request.query.get("mailbox"),
            tenant=request.query.get("tenant"),
        )
        return _answer({"copies": copies})

    async def receipts(self, request: web.Request) -> web.Response:
        return _answer({"receipts": self._admin.receipts()})

    async def deliveries(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not after.isascii() or not after.isdigit():
            raise AdminError("after is the number of a delivery")
        return _answer(
            {
                "deliveries": [
                    {
                        "number": one.number,
                        "internet_message_id": one.internet_message_id,
                        "mail_from": one.mail_from,
                        "rcpt_to": one.rcpt_to,
                        "delivered_at": one.delivered_at,
                        "mime_base64": base64.b64encode(one.mime).decode("ascii"),
                    }
                    for one in self._admin.deliveries(int(after))
                ]
            }
        )

    async def add_tenant(self, request: web.Request) -> web.Response:
        tenant = self._admin.add_tenant(await _read(request, TenantSeed))
        return _answer({"id": tenant.id}, 201)

    async def add_application(self, request: web.Request) -> web.Response:
        seed = await _read(request, ApplicationSeed)
        application = self._admin.add_application(request.match_info["tenant"], seed)
        return _answer({"client_id": application.client_id}, 201)

    async def add_mailbox(self, request: web.Request) -> web.Response:
        seed = await _read(request, MailboxSeed)
        self._admin.add_mailbox(request.match_info["tenant"], seed)
        return _answer({"address": seed.address}, 201)

    async def set_kind(self, request: web.Request) -> web.Response:
        body = await _read(request, SetKind)
        self._admin.set_kind(body.mailbox, body.kind)
        return _answer({})

    async def set_consent(self, request: web.Request) -> web.Response:
        body = await _read(request, SetConsent)
        self._admin.set_consent(body.tenant, body.client_id, is_consented=body.is_consented)
        return _answer({})

    async def revoke(self, request: web.Request) -> web.Response:
        body = await _read(request, Revoke)
        self._admin.revoke_tokens(body.tenant, body.client_id)
        return _answer({})

    async def add_rule(self, request: web.Request) -> web.Response:
        return _answer({"id": self._admin.add_rule(await _read(request, Rule))}, 201)

    async def rules(self, request: web.Request) -> web.Response:
        return _answer({"rules": self._admin.rules()})

    async def remove_rules(self, request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        if number is not None and not number.isdigit():
            raise AdminError("a rule has a number")
        self._admin.remove_rules(int(number) if number else None)
        return _answer({})

    async def set_throttling(self, request: web.Request) -> web.Response:
        self._admin.set_throttling(await _read(request, Throttling))
        return _answer({})

    async def set_latency(self, request: web.Request) -> web.Response:
        self._admin.set_latency(await _read(request, Latency))
        return _answer({})

    async def statistics(self, request: web.Request) -> web.Response:
        return _answer(self._admin.statistics())

    async def reset_statistics(self, request: web.Request) -> web.Response:
        self._admin.reset_statistics()
        return _answer({})

    async def reset(self, request: web.Request) -> web.Response:
        self._admin.clear_mail()
        return _answer({})
