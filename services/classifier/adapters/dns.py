"""`Resolver` over dnspython, with a bounded cache."""

from collections import OrderedDict
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.inet
import dns.nameserver
import dns.resolver
import structlog

from libs.common.clock import Clock
from libs.common.errors import ConfigurationError
from services.classifier import metrics

MAX_CACHED_NAMES = 20_000
MIN_TTL_SECONDS = 60.0
MAX_TTL_SECONDS = 3600.0
#: A name that surely does not exist (RFC 2308 §5 allows hours; senders fix their keys sooner).
NEGATIVE_TTL_SECONDS = 300.0
#: Silence is remembered for a moment, so that a dead server does not hold up every message.
SILENCE_TTL_SECONDS = 20.0
MAX_RECORDS = 20
MAX_RECORD_CHARACTERS = 4096
DNS_PORT = 53

_log = structlog.get_logger()


class DnsResolver:
    """See `Resolver`."""

    def __init__(
        self, clock: Clock, *, nameservers: Sequence[str] = (), timeout_seconds: float = 3.0
    ) -> None:
        self._clock = clock
        self._cache: OrderedDict[str, tuple[float, tuple[str, ...] | None]] = OrderedDict()
        self._resolver = _configured(nameservers)
        if self._resolver is not None:
            self._resolver.lifetime = timeout_seconds
            self._resolver.timeout = timeout_seconds / 2

    async def txt(self, name: str) -> tuple[str, ...] | None:
        """See `Resolver.txt`."""
        known = self._cache.get(name)
        if known is not None and known[0] > self._clock.monotonic():
            metrics.dns_lookups_total.labels("cached").inc()
            return known[1]
        answer, ttl_seconds = await self._ask(name)
        self._remember(name, answer, ttl_seconds)
        return answer

    async def _ask(self, name: str) -> tuple[tuple[str, ...] | None, float]:
        if self._resolver is None:
            return None, SILENCE_TTL_SECONDS
        try:
            answer = await self._resolver.resolve(name, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            metrics.dns_lookups_total.labels("none").inc()
            return (), NEGATIVE_TTL_SECONDS
        except (dns.exception.DNSException, OSError, ValueError) as error:
            metrics.dns_lookups_total.labels("unanswered").inc()
            _log.debug("dns_unanswered", error=type(error).__name__)
            return None, SILENCE_TTL_SECONDS
        metrics.dns_lookups_total.labels("answered").inc()
        texts = tuple(
            b"".join(record.strings).decode("utf-8", "replace")[:MAX_RECORD_CHARACTERS]
            for record in list(answer)[:MAX_RECORDS]
        )
        ttl = float(answer.rrset.ttl) if answer.rrset is not None else NEGATIVE_TTL_SECONDS
        return texts, min(max(ttl, MIN_TTL_SECONDS), MAX_TTL_SECONDS)

    def _remember(self, name: str, answer: tuple[str, ...] | None, ttl_seconds: float) -> None:
        self._cache[name] = (self._clock.monotonic() + ttl_seconds, answer)
        self._cache.move_to_end(name)
        while len(self._cache) > MAX_CACHED_NAMES:
            self._cache.popitem(last=False)


def _configured(nameservers: Sequence[str]) -> dns.asyncresolver.Resolver | None:
    """Return a resolver; null where the system has none, which only means that nothing answers."""
    if nameservers:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [_nameserver(one) for one in nameservers]
        return resolver
    try:
        return dns.asyncresolver.Resolver()
    except (dns.resolver.NoResolverConfiguration, OSError):
        _log.warning("resolver_not_configured")
        return None


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """Read `address`, `address:port` or `[v6]:port`."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.lstrip(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not dns.inet.is_address(host) or not (port or "53").isdecimal():
        raise ConfigurationError(
            f"CLASSIFIER_NAMESERVERS: {text!r} is no address: write 192.0.2.53, 192.0.2.53:5353 or "
            "[2001:db8::53]:5353"
        )
    return dns.nameserver.Do53Nameserver(host, int(port or DNS_PORT))
