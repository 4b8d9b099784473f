"""A deployment with Microsoft on the other side, ready for mail."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.background import Background
from tests.e2e.balance import (
    Counts,
    assert_each_bad_one_is_taken_back_once,
    assert_each_is_judged_once,
    assert_mailboxes_are_as_they_should_be,
    count,
    is_at_rest,
)
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.exchange import Exchange
from tests.e2e.mail import Mail
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs
from tests.e2e.servers import OwnPostgres
from tests.e2e.site import Networks, Site, site
from tests.e2e.tenant import ACME, Tenant, write_configuration, write_seed
from tests.e2e.waiting import until
from tests.services.vhosts import RabbitServer

_PATIENCE_SECONDS = 150.0
#: More for each message, on a machine that does much besides.
_MORE_SECONDS = 0.5
#: The whole record is read each time, on processors that have other things to do.
_READ_AGAIN_SECONDS = 0.3
_NO_NETWORKS = Networks()


@dataclass(frozen=True)
class Ground:
    """What the deployments of a session stand on."""

    programs: Programs
    place: Path
    nameserver: str
    beside: Background
    postgres: OwnPostgres


@dataclass(frozen=True)
class Scene:
    """One deployment, and the mailboxes that it works on."""

    site: Site
    mailboxes: Microsoft
    undeliver: Deployment

    def start(self) -> None:
        """Do what an operator does, and wait until all is ready."""
        self.site.build()
        self.undeliver.start()

    def deliver(self, mails: Sequence[Mail]) -> None:
        """Put messages into mailboxes, as Exchange does before it reports them."""
        for mail in mails:
            self.mailboxes.deliver(mail.mime(), mail.sender, mail.to)

    def balance(self, mails: Sequence[Mail], sender: Exchange) -> Counts:
        """Wait until all is done, and return the counts of a deployment where each is done once."""
        until(lambda: set(mails) <= set(sender.accepted), "every report's 250", _PATIENCE_SECONDS)
        patience_seconds = _PATIENCE_SECONDS + _MORE_SECONDS * len(mails)
        until(lambda: set(mails) <= set(sender.accepted), "every 250", patience_seconds)
        until(
            lambda: self._is_at_rest(mails),
            "all to be done",
            patience_seconds,
            look_again_seconds=_READ_AGAIN_SECONDS,
        )
        record = self.undeliver.recorded()
        counts = count(mails, sender.accepted, record, self.mailboxes)
        assert sender.losses() == []
        assert_each_is_judged_once(record, mails)
        assert_each_bad_one_is_taken_back_once(record, mails)
        assert_mailboxes_are_as_they_should_be(self.mailboxes, mails)
        assert {flag for each in record for flag in each.flags} == set()
        assert list(self.undeliver.dead_letters()) == []
        assert self.undeliver.run("audit", "verify", "--json").record["verified"] is True
        counts.assert_equal()
        return counts

    def _is_at_rest(self, mails: Sequence[Mail]) -> bool:
        return is_at_rest(self.undeliver.recorded(), mails)

    def connections(self, publisher: str) -> list[str]:
        """Return the connections that RabbitMQ believes a publisher to have."""
        vhost = self.site.vhost
        assert vhost is not None
        rows = asyncio.run(vhost.server.management.get("vhosts", vhost.name, "connections"))
        return [row["name"] for row in rows if row["user"] == publisher]


@contextmanager
def scene(
    ground: Ground,
    name: str,
    rabbitmq: RabbitServer | None,
    *,
    settings: Mapping[str, str] | None = None,
    latency_ms: float = 0.0,
    replicas: int = 1,
    tenants: Sequence[Tenant] = (ACME,),
    networks: Networks = _NO_NETWORKS,
) -> Iterator[Scene]:
    """Write what Microsoft and the operator would have written; build and start nothing."""
    home = ground.place / name
    home.mkdir(mode=0o711)
    seed = write_seed(home, latency_ms=latency_ms, tenants=tenants)
    configuration = write_configuration(home, tenants)
    resolver = {"CLASSIFIER_NAMESERVERS": f'["{ground.nameserver}"]'}
    with (
        microsoft(ground.programs, home, seed) as mailboxes,
        site(ground.programs, configuration, ground.postgres, rabbitmq, networks) as place,
        deployment(
            place, {**resolver, **mailboxes.settings, **(settings or {})}, replicas=replicas
        ) as deployed,
    ):
        yield Scene(place, mailboxes, deployed)
