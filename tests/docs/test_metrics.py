import re
from pathlib import Path

from prometheus_client import REGISTRY

import services.embedded.app

_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def _registered() -> set[str]:
    assert services.embedded.app  # importing it registers the metrics of every service
    names = set()
    for family in REGISTRY.collect():
        if family.name.startswith("undeliver_"):
            names.add(family.name + ("_total" if family.type == "counter" else ""))
    return names


def _described() -> set[str]:
    return set(re.findall(r"`(undeliver_\w+?)(?:\{[^`]*\})?`", _PAGE.read_text(encoding="utf-8")))


def test_every_metric_is_described_and_every_description_has_its_metric() -> None:
    assert _described() == _registered()
