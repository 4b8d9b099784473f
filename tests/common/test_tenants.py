"""From YAML to the configuration in force."""

import textwrap
from pathlib import Path

import pytest
import yaml

from libs.common.errors import ConfigurationError
from libs.common.tenants.loading import example, load_configuration, parse_configuration
from libs.common.tenants.model import Policy
from libs.common.tenants.problems import InvalidConfiguration

SMALLEST = """\
service_domain: undeliver.example
tenants:
  - id: acme
    microsoft_tenant_id: 11111111-1111-4111-8111-111111111111
    domains: [acme.example]
    journal: {token: abcdefghijklmnopqrstuvwxyz}
    graph: {client_id: 22222222-2222-4222-8222-222222222222, client_secret: "env:S"}
"""

SECOND = """\
  - id: globex
    microsoft_tenant_id: 33333333-3333-4333-8333-333333333333
    domains: [globex.example]
    journal: {token: zyxwvutsrqponmlkjihgfedcba}
    graph: {client_id: 44444444-4444-4444-8444-444444444444, workload_identity: true}
"""

US_ONLY = """\
region: us
journal_addresses:
  - domain: j.undeliver.example
    home: us
"""


def parse(text, folder="/etc/undeliver"):
    return parse_configuration(text.encode(), "undeliver.yaml", Path(folder))


def problems(text):
    with pytest.raises(InvalidConfiguration) as caught:
        parse(text)
    return [(each.line, each.field, each.problem) for each in caught.value.problems]


def changed(**fields):
    """Return the smallest file with more fields of its tenant, the first in line 8."""
    return SMALLEST + "".join(f"    {name}: {value}\n" for name, value in fields.items())


def test_the_smallest_file_has_safe_defaults():
    configuration = parse(SMALLEST)

    (tenant,) = configuration.tenants
    assert set(tenant.policy.model_dump().values()) == {"no_action"}
    assert tenant.raw_retention_days == 30
    assert configuration.publishers == ()


def test_the_example_shows_every_field():
    text = example()
    configuration = parse(text)

    assert {tenant.policy for tenant in configuration.tenants} == {Policy()}
    assert [publisher.name for publisher in configuration.publishers] == ["cli", "soar"]
    assert [(each.home, each.backups) for each in configuration.journal_addresses] == [
        ("us", ()),
        ("eu", ("us",)),
        ("eu", ()),
        ("in", ()),
        ("in", ("us",)),
        ("in", ("au",)),
        ("au", ()),
        ("au", ("in", "us")),
    ]
    every = parse(text).model_dump(exclude_unset=True)
    assert every["publishers"][1].keys() == type(configuration.publishers[1]).model_fields.keys()
    shown = every["tenants"][0]
    assert shown.keys() == type(configuration.tenants[0]).model_fields.keys()
    for section in ("journal", "policy", "limits", "senders"):
        fields = type(getattr(configuration.tenants[0], section)).model_fields
        assert shown[section].keys() == fields.keys(), section


def test_the_version_changes_with_the_content_and_not_with_comments():
    version = parse(SMALLEST).version

    assert parse("# a comment\n" + SMALLEST).version == version
    assert parse(changed(raw_retention_days=31)).version != version
    assert len(version) == 12


def test_words_that_older_yaml_takes_for_something_else_are_text():
    configuration = parse(SMALLEST.replace("acme", "no") + "region: on\n")

    assert configuration.tenants[0].id == "no"
    assert configuration.region == "on"


def test_an_anchor_may_be_used_again():
    text = changed(policy="&strict {malicious: junk}") + SECOND + "    policy: *strict\n"

    assert [tenant.policy.malicious for tenant in parse(text).tenants] == ["junk", "junk"]


def test_a_relative_secret_file_is_beside_the_configuration(tmp_path):
    file = tmp_path / "undeliver.yaml"
    file.write_text(SMALLEST.replace("env:S", "file:secrets/graph"))

    graph = load_configuration(file).tenants[0].graph

    assert graph.client_secret == f"file:{tmp_path}/secrets/graph"
    assert parse(SMALLEST.replace("env:S", "file:/run/s")).tenants[0].graph.client_secret == (
        "file:/run/s"
    )


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"protected_people": "[{name: Al}]"}, "protected_people[0].name", "must have at least 3"),
        ({"raw_retention_days": 0}, "raw_retention_days", "must be greater than or equal to 1"),
        ({"raw_retention_days": "soon"}, "raw_retention_days", "is not a whole number"),
        ({"cloud": "gov"}, "cloud", "is not a known value"),
        ({"policy": "{none: erase}"}, "policy.none", "is not a known value"),
        ({"policy": "junk"}, "policy", "is not a section"),
        ({"policies": "{}"}, "policies", "is not a known field"),
        ({"limits": "{mailboxes_per_hour: 0}"}, "limits.mailboxes_per_hour", "must be greater"),
        ({"limits": "{approve_hard_delete: maybe}"}, "limits.approve_hard_delete", "is not a yes"),
        ({"vip_mailboxes": "ceo@acme.example"}, "vip_mailboxes", "is not a list"),
        ({"vip_mailboxes": "[ceo]"}, "vip_mailboxes[0]", "is not an e-mail address"),
        ({"vip_mailboxes": "[1]"}, "vip_mailboxes[0]", "is not text"),
        ({"senders": "{block: [Bad.Example]}"}, "senders.block[0]", "is neither an e-mail"),
        ({"protected_mailboxes": "[soc@acme.exmaple]"}, "protected_mailboxes[0]", "is in none of"),
        ({"vip_mailboxes": "[a@acme.exmaple]"}, "vip_mailboxes[0]", "is in none of the tenant's"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(fields, field, problem):
    (found,) = problems(changed(**fields))

    assert found[:2] == (8, f"tenants[0].{field}")
    assert found[2].startswith(problem)


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("undeliver.example", "Undeliver.Example", "service_domain", "is not a domain"),
        ("id: acme", "id: Acme Inc", "tenants[0].id", "is not a name"),
        ("[acme.example]", "[]", "tenants[0].domains", "is empty"),
        ("[acme.example]", "['@acme.example']", "tenants[0].domains[0]", "is not a domain"),
        ("[acme.example]", "[acme.example, acme.example]", "tenants[0].domains[1]", "is the same"),
        ("abcdefghijklmnopqrstuvwxyz", "short", "tenants[0].journal.token", "is not a token"),
        ("abcdefghijklmnopqrstuvwxyz", "2" * 18, "tenants[0].journal.token", "is not text"),
        ("acme.example", "undeliver.example", "tenants[0].domains[0]", "is where journal reports"),
        ('client_secret: "env:S"', "", "tenants[0].graph", "has no credential"),
        (
            'client_secret: "env:S"',
            'client_secret: "env:S", workload_identity: true',
            "tenants[0].graph",
            "has no credential, or more than one",
        ),
        ("11111111-", "../", "tenants[0].microsoft_tenant_id", "is not an id of Microsoft's"),
    ],
)
def test_a_wrong_value_of_what_must_be_there_is_named(old, new, field, problem):
    ((_, found_field, found_problem),) = problems(SMALLEST.replace(old, new))

    assert found_field == field
    assert found_problem.startswith(problem)


@pytest.mark.parametrize(
    ("more", "field", "problem"),
    [
        ("{name: audit, types: [mail.retract.v1]}", "name", "audit is a service's own name"),
        (f"{{name: {'a' * 54}, types: [mail.retract.v1]}}", "name", "is longer than 53"),
        ("{name: soar, types: []}", "types", "is empty"),
        ("{name: soar, types: [mail.retrct.v1]}", "types[0]", "is no message type"),
        ("{name: soar, types: ['male.*']}", "types[0]", "is no message type"),
        ("{name: soar, types: ['mail*.v1']}", "types[0]", "is no message type"),
        ("{name: soar, types: ['*'], tenants: [acne]}", "tenants[0]", "is the id of no tenant"),
        ("{name: soar, types: ['*'], destinations: [none]}", "destinations[0]", "is not a known"),
    ],
)
def test_a_publisher_that_cannot_work_is_named(more, field, problem):
    ((line, found_field, found_problem),) = problems(SMALLEST + f"publishers:\n  - {more}\n")

    assert (line, found_field) == (9, f"publishers[0].{field}")
    assert found_problem.startswith(problem)


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("id: globex", "id: acme", "id", "is the same id as tenants[0].id (line 3)"),
        (
            "globex.example",
            "acme.example",
            "domains[0]",
            "is the same domain as tenants[0].domains[0] (line 5)",
        ),
        (
            "zyxwvutsrqponmlkjihgfedcba",
            "abcdefghijklmnopqrstuvwxyz",
            "journal.token",
            "is the same token as tenants[0].journal.token (line 6)",
        ),
    ],
)
def test_what_belongs_to_one_tenant_cannot_be_anothers(old, new, field, problem):
    ((_, found_field, found_problem),) = problems(SMALLEST + SECOND.replace(old, new))

    assert (found_field, found_problem) == (f"tenants[1].{field}", problem)


def test_a_sender_cannot_be_blocked_and_allowed():
    text = changed(senders="{block: [a@x.example, x.example], allow: [A@x.example, y.example]}")

    assert problems(text) == [(8, "tenants[0].senders.allow[0]", "is both blocked and allowed")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            US_ONLY.replace("region: us", "region: mars"),
            (8, "region", "is home or backup of no journal address"),
        ),
        (
            f"{US_ONLY}    backups: [eu, us]\n",
            (12, "journal_addresses[0].backups[1]", "is the home region, too"),
        ),
        (
            f"{US_ONLY}  - {{domain: j.undeliver.example, home: eu}}\n",
            (
                12,
                "journal_addresses[1].domain",
                "is the same domain as journal_addresses[0].domain (line 10)",
            ),
        ),
    ],
)
def test_regions_must_fit_together(text, expected):
    assert problems(SMALLEST + text) == [expected]


def test_every_mistake_is_told_at_once_in_the_order_of_the_file():
    text = """\
        service_domain: nope!
        tenants:
          - id: acme
            id: acme
            domains: [acme.example]
            domain: acme.example
          - id: acme
            raw_retention_days: many
    """

    with pytest.raises(ConfigurationError) as caught:
        parse(textwrap.dedent(text))

    lines = str(caught.value).splitlines()
    assert [line.split("; ")[0] for line in lines] == [
        "undeliver.yaml:1: service_domain: is not a domain",
        "undeliver.yaml:3: tenants[0].microsoft_tenant_id: is missing",
        "undeliver.yaml:3: tenants[0].journal: is missing",
        "undeliver.yaml:3: tenants[0].graph: is missing",
        "undeliver.yaml:4: tenants[0].id: given twice, first in line 3",
        "undeliver.yaml:6: tenants[0].domain: is not a known field",
        "undeliver.yaml:7: tenants[1].id: is the same id as tenants[0].id (line 3)",
        "undeliver.yaml:7: tenants[1].microsoft_tenant_id: is missing",
        "undeliver.yaml:7: tenants[1].domains: is missing",
        "undeliver.yaml:7: tenants[1].journal: is missing",
        "undeliver.yaml:7: tenants[1].graph: is missing",
        "undeliver.yaml:8: tenants[1].raw_retention_days: is not a whole number",
    ]
    assert lines[5].endswith("; did you mean domains?")
    assert all("; " in line for line in lines)


def test_a_secret_written_into_the_file_is_not_repeated():
    with pytest.raises(ConfigurationError) as caught:
        parse(SMALLEST.replace('"env:S"', "hunter2").replace("abcdefghijklm", "HUNTER3"))

    assert "client_secret: is not a reference to a secret" in str(caught.value)
    assert "hunter" not in str(caught.value).lower()


@pytest.mark.parametrize("name", ["undeliver.yaml", "folder", "locked.yaml/x"])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "locked.yaml").write_text("")

    with pytest.raises(ConfigurationError, match=rf"{name}: cannot be read: .*config example"):
        load_configuration(tmp_path / name)


def test_no_file_at_all_names_the_way_to_one():
    with pytest.raises(ConfigurationError, match="undeliver config example"):
        load_configuration(None)


def test_the_example_means_the_same_to_every_yaml_reader():
    assert parse_configuration(
        yaml.safe_dump(yaml.safe_load(example())).encode(), "again.yaml", Path("/etc/undeliver")
    ) == parse(example())
