"""Failures by rule: what matches, when it strikes, and what comes of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from libs.common.clock import Clock
from libs.graph_simulator.graph.errors import inner_error
from libs.graph_simulator.graph.requests import Exchange, GraphResponse
from libs.graph_simulator.options import Section


class ConnectionLostError(ConnectionError):
    """The client is to see its connection reset, with no answer."""


class Match(Section):
    """Which calls. What is absent fits all."""

    method: str | None = None
    #: Regular expression, searched in path and query as sent, without the version.
    path: str | None = None
    #: Name of the operation (`docs/graph-simulator.md`), `batch` and `token` included.
    operation: str | None = None
    #: Address of the mailbox.
    mailbox: str | None = None
    #: Inside a batch, outside, or both.
    inner: bool | None = None

    @field_validator("path")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        return value


class Effect(Section):
    """What happens instead of, or after, the operation.

    One of `status`, `connection`, `next_link`, `truncate`, `omit`, `hang_seconds`, or several that
    go together.
    """

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str = "serviceUnavailable"
    message: str = "The service is temporarily unavailable."
    #: `Retry-After` as it stands: "1", "2.128", "", an HTTP date. Null: none.
    retry_after: str | None = None
    #: `Retry-After` as HTTP date so many seconds from then.
    retry_after_date_seconds: Annotated[int, Field(ge=-3600, le=86_400)] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    #: text/plain without a character, as gateways answer.
    is_body_empty: bool = False
    hang_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    connection: Literal["reset"] | None = None
    #: The body is cut in half.
    truncate: bool = False
    #: A batch leaves the answer out.
    omit: bool = False
    #: Put into a listing's answer as `@odata.nextLink`.
    next_link: str | None = None


class Rule(Section):
    """A failure to come. `after`: the operation has been executed, the answer is replaced."""

    match: Match = Match()
    when: Literal["before", "after"] = "before"
    effect: Effect
    #: Only the nth matching call (from 1); `times` begins there.
    nth: Annotated[int, Field(ge=1)] = 1
    #: How many calls; null is for ever.
    times: Annotated[int, Field(ge=1)] | None = 1
    probability: Annotated[float, Field(ge=0, le=1)] = 1

    @model_validator(mode="after")
    def _after_needs_no_operation(self) -> Self:
        if self.when == "before" and (self.effect.truncate or self.effect.next_link):
            raise ValueError("truncate and next_link need when: after")
        return self


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules can look at."""

    method: str
    url: str
    operation: str
    mailbox: str
    is_inner: bool


class Failures:
    """The rules in force, in the order they were given; the first that fits strikes."""

    def __init__(self, clock: Clock, draw: Callable[[], float]) -> None:
        self._clock = clock
        self._draw = draw
        self._rules: dict[int, Rule] = {}
        self._seen: dict[int, int] = {}
        self._struck: dict[int, int] = {}
        self._last = 0

    def add(self, rule: Rule) -> int:
        """Put a rule in force; returns its number."""
        self._last += 1
        self._rules[self._last] = rule
        return self._last

    def remove(self, number: int | None = None) -> None:
        """Take a rule back, or all."""
        if number is None:
            self._rules.clear()
        else:
            self._rules.pop(number, None)

    def listing(self) -> list[dict[str, object]]:
        """The rules with how often each has struck."""
        return [
            {"id": number, "struck": self._struck.get(number, 0), **rule.model_dump(mode="json")}
            for number, rule in self._rules.items()
        ]

    def effect(self, when: str, facts: Facts) -> Effect | None:
        """Find what strikes this call at this moment."""
        for number, rule in self._rules.items():
            if rule.when != when or not _fits(rule.match, facts):
                continue
            seen = self._seen[number] = self._seen.get(number, 0) + 1
            is_due = seen >= rule.nth and (rule.times is None or seen < rule.nth + rule.times)
            if is_due and (rule.probability >= 1 or self._draw() < rule.probability):
                self._struck[number] = self._struck.get(number, 0) + 1
                return rule.effect
        return None

    async def apply(
        self, effect: Effect, exchange: Exchange, answer: GraphResponse | None
    ) -> GraphResponse:
        """Let it happen. `answer` is what the operation gave, if it was executed.

        Raises:
            ConnectionLostError: the connection is to be reset.
        """
        if effect.hang_seconds:
            await self._clock.sleep(effect.hang_seconds)
        if effect.connection == "reset":
            raise ConnectionLostError
        if effect.status is not None:
            answer = self._refusal(effect, effect.status, exchange)
        answer = answer or GraphResponse(504, b"")
        if effect.next_link is not None and isinstance(answer.body, dict):
            answer.body = {**answer.body, "@odata.nextLink": effect.next_link}
        answer.is_truncated = effect.truncate
        answer.is_omitted = effect.omit
        return answer

    def _refusal(self, effect: Effect, status: int, exchange: Exchange) -> GraphResponse:
        now = self._clock.now()
        headers = dict(effect.headers)
        retry_after = effect.retry_after
        if effect.retry_after_date_seconds is not None:
            retry_after = _http_date(now, effect.retry_after_date_seconds)
        if retry_after is not None:
            headers["Retry-After"] = retry_after
        if effect.is_body_empty:
            return GraphResponse(status, b"", headers)
        inner = inner_error(exchange.request_id, exchange.client_request_id, now)
        error = {"code": effect.code, "message": effect.message, "innerError": inner}
        return GraphResponse(status, {"error": error}, headers)


def _http_date(now: datetime, seconds: int) -> str:
    return format_datetime(now + timedelta(seconds=seconds), usegmt=True)


def _fits(match: Match, facts: Facts) -> bool:
    return (
        (match.method is None or match.method.upper() == facts.method)
        and (match.operation is None or match.operation == facts.operation)
        and (match.mailbox is None or match.mailbox.lower() == facts.mailbox.lower())
        and (match.inner is None or match.inner == facts.is_inner)
        and (match.path is None or re.search(match.path, facts.url) is not None)
    )
