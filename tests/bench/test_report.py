"""The lines that scripts read."""

import pytest

from tests.bench.report import Figure, Target, middle


@pytest.mark.parametrize(
    ("figure", "line", "is_short"),
    [
        (Figure("a", 812.4, "messages/s"), "BENCH a 812 messages/s target none", False),
        (
            Figure("b", 0.61, "ratio", Target(">=", 0.5)),
            "BENCH b 0.61 ratio target >= 0.5 ok",
            False,
        ),
        (
            Figure("c", 0.4, "ratio", Target(">=", 0.5)),
            "BENCH c 0.4 ratio target >= 0.5 SHORT",
            True,
        ),
        (Figure("d", 9.0, "s", Target("<=", 10)), "BENCH d 9 s target <= 10 ok", False),
        (Figure("e", 11.0, "s", Target("<=", 10)), "BENCH e 11 s target <= 10 SHORT", True),
    ],
)
def test_a_figure_says_what_it_should_be_and_whether_it_is(figure, line, is_short):
    assert str(figure) == line
    assert figure.is_short == is_short


def test_a_measurement_shows_how_far_its_rounds_lay_apart():
    assert middle("x", [3, 1, 2], "s") == "  x: 2 s (1–3 in 3 rounds)"
