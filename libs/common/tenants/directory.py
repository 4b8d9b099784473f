"""Who is who: look-ups in the configuration in force."""

from libs.common.tenants.model import Configuration, PublisherRights, Tenant


class Directory:
    """The configuration's tenants and publishers, found in one step."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._tenants = {tenant.id: tenant for tenant in configuration.tenants}
        self._tokens = {tenant.journal.token: tenant for tenant in configuration.tenants}
        self._publishers = {publisher.name: publisher for publisher in configuration.publishers}
        #: The domains that this region takes journal reports for.
        self.journal_domains = journal_domains(configuration)
        #: Domains of ours whose mail another region takes.
        self.other_regions_domains = (
            frozenset(address.domain for address in configuration.journal_addresses)
            - self.journal_domains
        )

    def tenant(self, tenant_id: str) -> Tenant | None:
        """Return the tenant with this id."""
        return self._tenants.get(tenant_id)

    def by_token(self, token: str) -> Tenant | None:
        """Return the tenant of a journal token; SMTP may have changed its case."""
        return self._tokens.get(token.lower())

    def by_journal_address(self, address: str) -> Tenant | None:
        """Return the tenant whose token is the local part, at one of this region's domains."""
        local_part, _, domain = address.rpartition("@")
        if domain.lower().rstrip(".") not in self.journal_domains:
            return None
        return self.by_token(local_part)

    def publisher(self, name: str) -> PublisherRights | None:
        """Return what a proved publisher may say."""
        return self._publishers.get(name)


def journal_domains(configuration: Configuration) -> frozenset[str]:
    """Return the domains whose home or backup this deployment's region is.

    `journaling.<service domain>` is one of them, unless the table of regions says otherwise.
    """
    regions = {f"journaling.{configuration.service_domain}": {configuration.region}} | {
        address.domain: {address.home, *address.backups}
        for address in configuration.journal_addresses
    }
    return frozenset(domain for domain, takers in regions.items() if configuration.region in takers)
