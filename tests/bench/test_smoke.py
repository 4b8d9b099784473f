"""Benchmarks do not rot: each runs, on very little. Its figures mean nothing here."""

from pathlib import Path

import pytest

from tests.bench import suites
from tests.bench.stand import TINY, on
from tests.e2e.background import background

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stand(rabbitmq):
    with background() as beside, on(beside, rabbitmq) as ready:
        yield ready


@pytest.mark.parametrize("name", ["broker", "pipeline"])
def test_a_suite_compares_and_gives_figures(name, stand, capsys):
    figures = suites.SUITES[name](stand, TINY)

    assert all(figure.value > 0 for figure in figures)
    assert any(figure.target for figure in figures)
    assert capsys.readouterr().out.count(" rounds)") >= 6


def test_make_knows_every_suite():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")

    assert all(f"\nbench-{name}: ## " in makefile for name in suites.SUITES)
