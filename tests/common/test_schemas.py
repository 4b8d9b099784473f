"""The published schemas."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from libs.common.contracts import CONTRACTS
from libs.common.contracts.schemas import differences, main, schemas, write
from libs.common.tenants.loading import example

API = Path(__file__).parents[2] / "docs" / "api"


def test_what_is_published_is_what_the_code_says():
    assert differences(API) == [], "run `make schemas`"


def test_every_message_type_has_its_schema():
    others = {"config.schema.json", "asyncapi.json"}
    assert schemas().keys() == {*(f"{each}.json" for each in CONTRACTS), *others}


@pytest.mark.parametrize("name", sorted(schemas().keys() - {"asyncapi.json"}))
def test_each_is_a_valid_schema(name):
    jsonschema.Draft202012Validator.check_schema(json.loads(schemas()[name]))


def test_every_message_names_its_tenant():
    for type_ in CONTRACTS:
        schema = json.loads(schemas()[f"{type_}.json"])
        assert "tenant" in schema["required"], type_


def test_personal_fields_are_marked():
    schema = json.loads(schemas()["mail.journaled.v1.json"])

    assert schema["$defs"]["Recipient"]["properties"]["address"]["x-personal"] is True
    assert "x-personal" not in schema["properties"]["report_key"]


def test_the_example_configuration_fits_the_published_schema():
    schema = json.loads(schemas()["config.schema.json"])

    jsonschema.validate(yaml.safe_load(example()), schema)
    with pytest.raises(jsonschema.ValidationError, match="tenent"):
        jsonschema.validate(yaml.safe_load(example()) | {"tenent": 1}, schema)


def test_writing_brings_a_folder_up_to_date_and_checking_says_what_is_not(tmp_path, capsys):
    folder = tmp_path / "api"
    assert main(["--check", "--folder", str(folder)]) == 1
    assert main(["--write", "--folder", str(folder)]) == 0
    assert main(["--check", "--folder", str(folder)]) == 0
    (folder / "mail.gone.v1.json").write_text("{}")
    (folder / "mail.held.v1.json").write_text("{}")
    capsys.readouterr()

    assert main(["--check", "--folder", str(folder)]) == 1
    said = capsys.readouterr().err
    assert write(folder) == ["mail.gone.v1.json", "mail.held.v1.json"]
    assert write(folder) == []

    assert [line.partition(": ")[0] for line in said.splitlines()] == [
        str(folder / "mail.gone.v1.json"),
        str(folder / "mail.held.v1.json"),
    ]
