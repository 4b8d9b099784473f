"""Where links lead, against what they say."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from services.classifier.domain import hosts
from services.classifier.domain.case import Case
from services.classifier.domain.confusables import scripts, skeleton
from services.classifier.domain.known_hosts import CHEAP_SUFFIXES, FREE_HOSTS, FREE_MAIL, SHORTENERS
from services.classifier.domain.mail import Link
from services.classifier.domain.reasons import Reason, quote

MAX_LINKS_LOOKED_AT = 300
MIN_LABEL = 5
_SHOWN_HOST = re.compile(
    r"^\s*(?:https?://)?((?:[a-z0-9-]{1,63}\.)+[a-z]{2,24})(?=[/?#:\s]|$)", re.IGNORECASE
)
_SHOWN_URL = re.compile(r"^\s*(?:https?://|www\.)", re.IGNORECASE)
_TEXT_URL = re.compile(r"https?://[^\s<>\"')\]]{3,2000}", re.IGNORECASE)
MAX_TARGET_CHARACTERS = 2_000
_WAY_OUT = re.compile(
    r"unsub|opt-?out|preferences|abmeld|abbestell|d[ée]sabonn|d[ée]sinscri|darse-?de-?baja",
    re.IGNORECASE,
)
_LOCAL = re.compile(
    r"^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|0\.0\.0\.0|::1)"
)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield what is wrong with the links; each code once, with the first example."""
    links = list(dict.fromkeys(case.mail.links))[:MAX_LINKS_LOOKED_AT]
    for link in links:
        yield from _scheme(link)
        yield from _host(case, link.target)
        yield from _text(link)
    for target in list(dict.fromkeys(_TEXT_URL.findall(case.mail.text)))[:MAX_LINKS_LOOKED_AT]:
        yield from _host(case, target)
    yield from _forms(case)
    yield from _all_together(case, links)


def _scheme(link: Link) -> Iterator[Reason]:
    scheme = hosts.scheme(link.target)
    if scheme in ("data", "vbscript") or (scheme == "javascript" and len(link.target) > 40):
        yield Reason("active_link", f"a link is a program: {quote(link.target[:60])}")


def _host(case: Case, target: str) -> Iterator[Reason]:
    host = hosts.host_of(target)
    if not host:
        return
    authority = hosts.authority(target)
    if "@" in authority and "." in authority.rpartition("@")[0]:
        yield Reason("link_with_user", f"{quote(authority)} leads to {quote(host)}")
    if hosts.is_ip(host):
        if not _LOCAL.match(host):
            yield Reason("link_to_ip", f"a link leads to the bare address {quote(host)}")
        return
    yield from _name(case, host)
    yield from _personal(case, target)


def _name(case: Case, host: str) -> Iterator[Reason]:
    registered = hosts.registered(host)
    label = hosts.to_unicode(registered).partition(".")[0]
    if "xn--" in registered and _looks_latin(label):
        yield Reason("confusable_link", f"{quote(host)} is shown as {quote(label)}")
    for own in case.about.own_domains:
        if not hosts.is_within(host, own) and f"{own}." in f"{host}.":
            yield Reason("own_domain_in_foreign_host", f"{quote(host)} is not {own}")
    yield from _borrowed(case.mail.author.domain, host)
    if registered in SHORTENERS:
        yield Reason("link_shortened", f"{quote(host)} hides where it leads")
    if any(hosts.is_within(host, free) for free in FREE_HOSTS):
        yield Reason("link_to_free_host", f"{quote(host)} is open to everybody")
    if host.rpartition(".")[2] in CHEAP_SUFFIXES:
        yield Reason("link_to_cheap_suffix", f"{quote(host)}")


def _looks_latin(label: str) -> bool:
    """Say whether letters of another alphabet pass for Latin ones; accents are honest."""
    alphabets = scripts(label)
    return bool(alphabets - {"LATIN"}) and (len(alphabets) > 1 or skeleton(label).isascii())


def _borrowed(author: str, host: str) -> Iterator[Reason]:
    """The sender's own name inside somebody else's host is there for the eye only."""
    mine = hosts.registered(author)
    label = mine.partition(".")[0]
    if "." not in mine or hosts.is_within(host, mine) or author in FREE_MAIL:
        return
    if f".{mine}." in f".{host}.":
        yield Reason("sender_domain_in_foreign_host", f"{quote(host)} is not {mine}")
    elif len(label) >= MIN_LABEL and label in host and hosts.registered(host) not in FREE_HOSTS:
        yield Reason("sender_name_in_foreign_host", f"{quote(host)} is not {mine}")


def _personal(case: Case, target: str) -> Iterator[Reason]:
    """A link that carries the recipient's address fills in a sign-in form for them.

    In a query that is weak: ways out of mailings carry it, too.
    """
    head, _, fragment = target.partition("#")
    path, _, query = head.partition("?")
    in_fragment, in_query = unquote(fragment).lower(), unquote(query).lower()
    if "@" not in in_fragment and "@" not in in_query:
        return
    for recipient in case.mail.recipients[:5]:
        if recipient.spec and recipient.spec in in_fragment:
            yield Reason("recipient_in_fragment", f"a link carries {quote(recipient.spec)}")
        elif recipient.spec and recipient.spec in in_query and not _is_expected(case, path, query):
            yield Reason("recipient_in_query", f"a link asks with {quote(recipient.spec)}")


def _is_expected(case: Case, path: str, query: str) -> bool:
    """Say whether it is a way out, or leads to the proved sender."""
    is_home = hosts.is_same_owner(hosts.host_of(path), case.mail.author.domain)
    is_senders_own = is_home and case.is_author_proved
    return is_senders_own or bool(_WAY_OUT.search(f"{path}?{query}"[:MAX_TARGET_CHARACTERS]))


def _text(link: Link) -> Iterator[Reason]:
    shown = _SHOWN_HOST.match(link.text)
    host = hosts.host_of(link.target)
    if not shown or not host or not _SHOWN_URL.match(link.text):
        return
    claimed = hosts.to_ascii(shown[1].lower())
    if hosts.is_same_owner(claimed, host) or "." not in hosts.registered(claimed):
        return
    bare = hosts.is_ip(host) or any(hosts.is_within(host, free) for free in FREE_HOSTS)
    yield Reason(
        "link_text_hides_bare_host" if bare else "link_text_differs",
        f"{quote(link.text[:80])} leads to {quote(host)}",
    )


def _forms(case: Case) -> Iterator[Reason]:
    for page in case.mail.pages:
        for form in page.forms:
            host = hosts.host_of(form.action)
            is_foreign = bool(host) and not hosts.is_same_owner(host, case.mail.author.domain)
            if form.has_password:
                yield Reason("password_form", f"a form asks for a password, sent to {quote(host)}")
            elif is_foreign:
                yield Reason("form_to_elsewhere", f"a form sends to {quote(host)}")
        if page.has_password and not page.forms:
            yield Reason("password_form", "a field asks for a password")
        if any(hosts.scheme(target) in ("data", "javascript") for target in page.loads):
            yield Reason("active_link", "a frame or refresh is a program")


def _all_together(case: Case, links: list[Link]) -> Iterator[Reason]:
    """One page behind every picture, and next to no text: the mail is a poster."""
    leading = {hosts.host_of(link.target) for link in links} - {""}
    targets = {hosts.registered(host) for host in leading if not hosts.is_ip(host)}
    images = sum(page.images for page in case.mail.pages)
    author = hosts.registered(case.mail.author.domain)
    words = len(case.mail.text.split())
    is_ours = any(case.about.is_own(host) for host in leading)
    is_known = author in targets or case.mail.author.domain in FREE_MAIL or is_ours
    if targets and not is_known:
        shown = quote(min(targets))
        yield Reason("all_links_elsewhere", f"no link leads to {quote(author)}, but to {shown}")
    if targets and images and words < 30 and author not in targets:
        yield Reason("picture_with_link", f"{images} pictures, {words} words, a link elsewhere")
    if case.mail.author.domain.rpartition(".")[2] in CHEAP_SUFFIXES:
        yield Reason("sender_cheap_suffix", f"sent from {quote(case.mail.author.domain)}")
