"""What a piece of HTML shows and where it leads, within a bound.

Lexbor takes quadratic time for deeply nested tags (11 s for 100,000 open `<div>`, measured), so
pages with too many tags, and whatever lies beyond the bound, are read by pattern only.
"""

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.classifier.domain.mail import Form, Link, Page

MAX_TREE_CHARACTERS = 262_144
MAX_TREE_TAGS = 20_000
MAX_SCAN_CHARACTERS = 2_097_152
MAX_LINKS = 2_000
MAX_STYLED = 1_000
MAX_ANCESTORS = 200
MAX_TEXT_CHARACTERS = 65_536
MAX_SCRIPT_CHARACTERS = 65_536
MAX_TARGET_CHARACTERS = 4_096

_LINK = re.compile(
    r"""\bhref\s*=\s*(?:"([^"]{1,4096})|'([^']{1,4096})|([^\s"'>]{1,4096}))""", re.IGNORECASE
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*[01](?:px|pt|em|%)?\s*(?:;|$)"
    r"|opacity\s*:\s*0(?:\.0\d*)?\s*(?:;|$)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^>]{0,2000}>")
_REFRESH = re.compile(r"url\s*=\s*['\"]?\s*([^'\">\s]{1,4096})", re.IGNORECASE)


def read(html: str) -> Page:
    """Return what is in the page."""
    html = html[:MAX_SCAN_CHARACTERS]
    head = html[:MAX_TREE_CHARACTERS]
    if head.count("<") > MAX_TREE_TAGS:
        return _by_pattern(html)
    page = _by_tree(head)
    if len(html) <= MAX_TREE_CHARACTERS:
        return page
    rest = _by_pattern(html[MAX_TREE_CHARACTERS:])
    return Page(
        text=page.text,
        links=(page.links + rest.links)[:MAX_LINKS],
        forms=page.forms,
        scripts=page.scripts,
        loads=page.loads,
        images=page.images,
        hidden_words=page.hidden_words,
        has_password=page.has_password,
    )


def _by_tree(html: str) -> Page:
    tree = LexborHTMLParser(html)
    scripts = tuple(
        (node.text(deep=True) or "")[:MAX_SCRIPT_CHARACTERS] for node in tree.css("script")[:50]
    )
    links = tuple(
        Link(_value(node, "href"), " ".join(node.text(deep=True).split())[:500])
        for node in tree.css("a[href], area[href]")[:MAX_LINKS]
    )
    forms = tuple(
        Form(_value(node, "action"), node.css_first("input[type=password i]") is not None)
        for node in tree.css("form")[:50]
    )
    loads = [_value(n, "src") for n in tree.css("iframe[src], frame[src], embed[src]")[:50]]
    for node in tree.css("meta[http-equiv=refresh i]")[:10]:
        loads += _REFRESH.findall(_value(node, "content"))
    has_password = tree.css_first("input[type=password i]") is not None
    images = len(tree.css("img"))
    hidden_words = _hide(tree)
    return Page(
        text=_visible_text(tree),
        links=links,
        forms=forms,
        scripts=scripts,
        loads=tuple(loads),
        images=images,
        hidden_words=hidden_words,
        has_password=has_password,
    )


def _hide(tree: LexborHTMLParser) -> int:
    """Take out what is styled away, and return how many words that was."""
    styled = tree.css("[style]")[:MAX_STYLED]
    hidden = [node for node in styled if _HIDDEN.search(_value(node, "style"))]
    ids = {node.mem_id for node in hidden}
    outermost = [node for node in hidden if _is_outermost(node, ids)]
    words = sum(len(node.text(deep=True).split()) for node in outermost)
    for node in outermost:
        node.decompose()
    return words


def _is_outermost(node: LexborNode, ids: set[int]) -> bool:
    """Say whether no element around this one is hidden: removing that one frees this one, too."""
    around = node.parent
    for _ in range(MAX_ANCESTORS):
        if around is None:
            return True
        if around.mem_id in ids:
            return False
        around = around.parent
    return False


def _visible_text(tree: LexborHTMLParser) -> str:
    for node in tree.css("script, style, head"):
        node.decompose()
    root = tree.body or tree.root
    text = root.text(deep=True, separator=" ") if root is not None else ""
    return text[:MAX_TEXT_CHARACTERS]


def _value(node: LexborNode, name: str) -> str:
    return (node.attributes.get(name) or "").strip()[:MAX_TARGET_CHARACTERS]


def _by_pattern(html: str) -> Page:
    targets = []
    for match in _LINK.finditer(html):
        targets.append(Link(unescape(match[1] or match[2] or match[3] or "").strip(), ""))
        if len(targets) == MAX_LINKS:
            break
    text = unescape(_TAG.sub(" ", html[:MAX_TREE_CHARACTERS]))[:MAX_TEXT_CHARACTERS]
    return Page(text=text, links=tuple(targets))
