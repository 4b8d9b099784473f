from datetime import UTC, datetime

import pytest

from libs.graph_simulator.graph.filter_parsing import parse
from libs.graph_simulator.graph.filters import FilterError, matches, paths

ENTITY: dict[str, object] = {
    "internetmessageid": "<it's@x.example>",
    "isread": False,
    "receiveddatetime": datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
    "from/emailaddress/address": "Eve@Evil.example",
    "subject": None,
    "proxyaddresses": ["SMTP:a@x.example", "smtp:b@x.example"],
    "singlevalueextendedproperties": [{"id": "String 0x1042", "value": "<parent@x.example>"}],
}
EXTENDED = (
    "singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x1042' and "
    "ep/value eq '<parent@x.example>')"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("internetMessageId eq '<it''s@x.example>'", True),
        ("INTERNETMESSAGEID EQ '<it''s@x.example>'", True),
        ("internetMessageId eq '<other@x.example>'", False),
        ("isRead eq false", True),
        ("not isRead eq false", False),
        ("not (isRead eq true) and internetMessageId ne 'x'", True),
        ("isRead eq true or isRead eq false and subject eq null", True),
        ("(isRead eq true or isRead eq false) and subject ne null", False),
        ("receivedDateTime ge 2026-01-05T09:00:00Z", True),
        ("receivedDateTime gt 2026-01-05T10:00:00+01:00", False),
        ("receivedDateTime lt 2026-01-06", True),
        ("receivedDateTime le 2026-01-05T08:59:59.9999999Z", False),
        ("from/emailAddress/address eq 'eve@evil.EXAMPLE'", True),
        ("startswith(from/emailAddress/address,'EVE@')", True),
        ("contains(from/emailAddress/address, 'evil')", True),
        ("endswith(subject,'x')", False),
        ("proxyAddresses/any(p:p eq 'smtp:A@X.example')", True),
        ("proxyAddresses/any(p:startswith(p,'smtp:c'))", False),
        (EXTENDED, True),
        (EXTENDED.replace("0x1042", "0x1039"), False),
    ],
)
def test_a_filter_holds_or_not(text: str, expected: bool):
    assert matches(parse(text), ENTITY.__getitem__) is expected


def test_text_of_exact_paths_is_compared_as_written():
    node = parse("internetMessageId eq '<IT''S@x.example>'")

    assert matches(node, ENTITY.__getitem__)
    assert not matches(node, ENTITY.__getitem__, frozenset({"internetmessageid"}))


def test_properties_are_named_in_the_order_of_their_appearance():
    node = parse("isRead eq true and (subject eq 'x' or not receivedDateTime ge 2026-01-01)")

    assert list(paths(node)) == ["isread", "subject", "receiveddatetime"]


@pytest.mark.parametrize(
    "text",
    [
        "isRead",
        "isRead eq",
        "isRead eq 'open",
        "isRead eq true and",
        "isRead like true",
        "eq eq eq eq",
        "(isRead eq true",
        "isRead eq true)",
        "isRead eq maybe",
        "receivedDateTime ge 2026-13-01T00:00:00Z",
        "subject eq $now",
        "(" * 100 + "isRead eq true" + ")" * 100,
        "not " * 100 + "isRead eq true",
        "subject eq '" + "x" * 20_000 + "'",
    ],
)
def test_what_is_no_filter_is_refused(text: str):
    with pytest.raises(FilterError):
        parse(text)


def test_kinds_that_cannot_be_compared_are_refused():
    with pytest.raises(FilterError):
        matches(parse("receivedDateTime ge 'yesterday'"), ENTITY.__getitem__)
