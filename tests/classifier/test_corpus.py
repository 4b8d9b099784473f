"""Whole messages, one folder each: `tests/corpus/classify/NN-name/`.

Each holds `message.eml`, `expected.json` and a `README`.

`expected.json`: `disposition`, `codes` that must be among the reasons, optional `attributes`, and
optional `tenant: false` for mail that is judged without a configuration.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.classifier.domain.circumstances import Circumstances
from tests.classifier.letters import OURS, verdict

CASES = sorted((Path(__file__).parents[1] / "corpus" / "classify").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_message_is_what_its_folder_says(case, newline):
    expected = json.loads((case / "expected.json").read_text())
    raw = (case / "message.eml").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", newline)
    about = OURS if expected.get("tenant", True) else Circumstances()
    about = replace(about, is_receiver_trusted=expected.get("journaled", False))

    found = verdict(raw, about)

    assert found.disposition == expected["disposition"]
    assert set(expected["codes"]) <= {reason.code for reason in found.reasons}
    assert list(found.attributes) == expected.get("attributes", [])
    assert (case / "README").read_text().strip()
