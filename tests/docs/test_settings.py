"""docs/settings.md is what the code reads."""

import re
from pathlib import Path

from tests.docs.settings_page import PAGE, kinds, page, undescribed

TESTS = Path(__file__).parents[1]


def test_the_page_has_every_variable_as_the_code_reads_it():
    present = PAGE.read_text(encoding="utf-8")

    assert present == page(present), "run `make docs`"


def test_the_page_has_every_variable_that_the_tests_read():
    described = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    read = {
        name
        for path in [TESTS / "conftest.py", *TESTS.glob("services/*.py")]
        for name in re.findall(r'environ\.get\("(\w+)"', path.read_text(encoding="utf-8"))
    }

    foreign = {name for name in read if name.startswith("PG")}  # libpq's own
    assert {"TEST_SERVICES", "CI"} <= read - foreign <= described


def test_every_variable_is_explained():
    assert {kind.__module__: undescribed(kind) for kind in kinds() if undescribed(kind)} == {}
