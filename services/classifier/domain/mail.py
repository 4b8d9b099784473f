"""A message as the evidence sees it: parsed once, bounded, frozen."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a header. `spec` is lower case, and empty where there was none to read."""

    name: str
    spec: str

    @property
    def domain(self) -> str:
        """Return what follows the last `@`, or nothing."""
        return self.spec.rpartition("@")[2] if "@" in self.spec else ""


@dataclass(frozen=True, slots=True)
class Link:
    """A place that a click leads to, and the words that a reader sees on it."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form inside HTML."""

    action: str
    has_password: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What a piece of HTML shows and does."""

    text: str = ""
    links: tuple[Link, ...] = ()
    forms: tuple[Form, ...] = ()
    scripts: tuple[str, ...] = ()
    #: Sources of frames and targets of meta refresh: followed without a click.
    loads: tuple[str, ...] = ()
    images: int = 0
    #: Words in elements that are styled away.
    hidden_words: int = 0
    #: A password field outside any form counts as well: a script may send it.
    has_password: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is no body text, decoded up to a bound."""

    name: str
    content_type: str
    content: bytes
    size_bytes: int
    #: It hangs on a message that is itself attached.
    is_nested: bool = False

    @property
    def extension(self) -> str:
        """Return what follows the last dot of the name, lower case, without trailing blanks."""
        return self.name.lower().rstrip(" .\u00a0").rpartition(".")[2] if "." in self.name else ""


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One message. Header names are lower case, values unfolded and decoded, in order."""

    headers: tuple[tuple[str, str], ...] = ()
    from_: tuple[Address, ...] = ()
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[Address, ...] = ()
    subject: str = ""
    #: Body text that a reader sees, plain and HTML alike.
    text: str = ""
    pages: tuple[Page, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    #: Why the body could not be read; null where it could.
    failure: str | None = None
    #: Bounds that cut something off.
    truncated: tuple[str, ...] = field(default=())

    @property
    def author(self) -> Address:
        """Return the first From address that is one; an empty one where there is none."""
        named = next(iter(self.from_), Address("", ""))
        return next((address for address in self.from_ if address.spec), named)

    @property
    def links(self) -> tuple[Link, ...]:
        """Return the links of all pages."""
        return tuple(link for page in self.pages for link in page.links)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or null."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, topmost first."""
        return tuple(value for key, value in self.headers if key == name)
