"""Each folder of the journal corpus is parsed as its `expected.json` says."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from libs.common.journaling.parsing import as_carried, parse
from services.ingest.cli import described

CORPUS = Path(__file__).parents[1] / "corpus" / "journal"
CASES = sorted(path.parent for path in CORPUS.glob("*/message.eml"))
TENANT = "acme"


def as_json(record):
    return json.loads(json.dumps(record, default=lambda value: value.isoformat()))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_case_is_parsed_as_expected(folder):
    raw = (folder / "message.eml").read_bytes()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))

    found = as_json(described(parse(raw), raw, TENANT))

    found["extras"] = {name: value for name, value in found["extras"].items() if value is not None}
    if isinstance(expected["recipients"], dict):
        found["recipients"] = {
            "count": len(found["recipients"]),
            "first": found["recipients"][0],
            "last": found["recipients"][-1],
        }
    assert found == expected


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_original_is_where_it_is_said_to_be(folder):
    raw = (folder / "message.eml").read_bytes()

    original = parse(raw).original

    if original.decoded is None:
        found = raw[original.offset : original.offset + original.size_bytes]
    else:
        found = original.decoded
    assert len(found) == original.size_bytes
    assert sha256(found).hexdigest() == original.sha256


@pytest.mark.reference
def test_real_reports_of_exchange_online_are_parsed_exactly(reference_folder):
    samples = reference_folder / "samples" / "journal"
    expected = json.loads((samples / "expected_real.json").read_text(encoding="utf-8"))
    for name, facts in expected.items():
        raw = as_carried((samples / name).read_bytes())
        found = described(parse(raw), raw, TENANT)

        assert (found["kind"], found["format"]) == ("journal", "exchange_online")
        assert found["flags"] == []
        assert found["sender"] == facts["envelope_sender"][0]
        assert found["message_id"] == facts["message_id"][0]
        assert [(r["role"], r["address"]) for r in found["recipients"]] == [
            (role.lower(), address) for role, address in facts["recipients"]
        ]
        assert found["original"]["sha256"] == facts["inner_sha256"]
        assert found["original"]["size_bytes"] == facts["inner_raw_bytes"]
        for extra in (
            "originator_org",
            "system_sender",
            "parent",
            "inner_org_id",
            "inner_original_tenant_id",
            "directionality",
            "original_envelope_recipients",
        ):
            assert found["extras"][extra] == facts[extra], (name, extra)


@pytest.mark.reference
def test_the_corpus_is_the_reference_set(reference_folder):
    reconstructed = reference_folder / "samples" / "journal" / "reconstructed"
    ours = {(folder / "message.eml").read_bytes() for folder in CASES}

    assert ours >= {path.read_bytes() for path in reconstructed.glob("*.eml")}
