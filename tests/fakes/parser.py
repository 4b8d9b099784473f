"""Parsing where one stands. Twin of `services.ingest.adapters.parsers.Parsers`."""

from libs.common.journaling.parsing import parse, unparsed


class FakeParser:
    """See `Parser`. Content that holds `gives_up_on` cannot be parsed."""

    def __init__(self, gives_up_on: bytes | None = None) -> None:
        self.gives_up_on = gives_up_on

    async def parse(self, raw, domains):
        """See `Parser.parse`."""
        if self.gives_up_on is not None and self.gives_up_on in raw:
            return unparsed(raw)
        return parse(raw, domains)
