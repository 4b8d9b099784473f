"""A DNS of its own. Twin of `DnsResolver`."""

from collections.abc import Mapping


class FakeResolver:
    """See `Resolver`. Names that `texts` does not hold do not exist; `silent` gives no answer."""

    def __init__(self, texts: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.texts = dict(texts or {})
        self.silent = False
        self.asked: list[str] = []

    async def txt(self, name: str) -> tuple[str, ...] | None:
        """See `Resolver.txt`."""
        self.asked.append(name)
        return None if self.silent else self.texts.get(name, ())
