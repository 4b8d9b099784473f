"""An export can be verified by somebody who has only docs/adr/0004-chain-format.md."""

import base64
import json
from hashlib import sha256

import pytest

from services.audit.adapters.postgres.reading import PostgresArchive, verify
from services.audit.cli import views
from services.audit.domain.chain import append
from services.audit.domain.record import genesis
from tests.audit.messages import copy_settled, delivery, entry, retract

# --- A third party's program: nothing of ours below this line -------------------------------------


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def third_party_verifies(lines):
    ends, heads = {}, {}
    for line in map(json.loads, lines):
        if "head" in line:
            heads[line["head"]["chain"]] = (line["head"]["number"], line["head"]["row_hash"])
            continue
        properties = line["properties"]
        chain = properties["chain"]
        genesis = sha256(b"undeliver audit chain " + chain.encode("ascii")).hexdigest()
        number, previous = ends.get(chain, (0, genesis))
        digests = [
            sha256(part).digest() for part in (canonical(properties), line["public"].encode())
        ]
        personal_hash = bytes.fromhex(line["personal_hash"])
        row_hash = sha256(bytes.fromhex(previous) + b"".join(digests) + personal_hash).hexdigest()
        if (properties["number"], line["previous_hash"]) != (number + 1, previous):
            return False
        if line["row_hash"] != row_hash or properties["format"] != 1:
            return False
        if line["personal"] is not None:
            hidden = bytes.fromhex(line["salt"]) + base64.b64decode(line["personal"])
            if sha256(hidden).digest() != personal_hash:
                return False
        ends[chain] = (number + 1, row_hash)
    return ends == heads


# --- End of the third party's program -------------------------------------------------------------


@pytest.fixture
def archive(audit_pool):
    return PostgresArchive(audit_pool)


@pytest.fixture
async def recorded(log, audit_pool):
    """Record messages of every kind, and erase one."""
    message = delivery(retract(reason='Grüße,\n\t"you" & \u2028 \U0001f4e7 \x7f'))
    odd = delivery(retract("globex"), publisher="stranger", app_id="é\0", causation_id="c")
    await log.record([entry(delivery(copy_settled())) for _ in range(3)])
    await log.record([entry(message), entry(odd), entry(delivery(retract(), body=b"\xff"))])
    await log.record([entry(delivery(retract(), type="x.y.v1", tenant="nobody"))])
    await log.record([entry(delivery(retract(depth=3), message_id=message.message.message_id))])
    await audit_pool.execute("delete from personal where chain = 'acme' and number = 2")


async def export(archive, *, personal=True):
    async with archive.snapshot() as (heads, records):
        lines = [views.exported(record, personal=personal) async for record in records]
    return [json.dumps(line) for line in [*lines, *map(views.exported_head, heads)]]


@pytest.mark.parametrize("personal", [True, False])
async def test_a_third_party_agrees_with_us(personal, archive, recorded):
    lines = await export(archive, personal=personal)

    assert len(lines) == 8 + 3
    assert third_party_verifies(lines)
    assert (await verify(archive)).is_intact


@pytest.mark.parametrize(
    "statement",
    [
        "update log set made_at = made_at + interval '1 second' where number = 2",
        "update log set flags = '{}' where refusal is not null",
        "delete from log where chain = 'acme' and number = 4",
        "delete from log where chain = 'globex'",
        "update personal set content = '' where number = 1",
    ],
)
async def test_a_third_party_finds_what_we_find(statement, archive, recorded, superuser):
    await superuser.execute(statement)

    assert not third_party_verifies(await export(archive))
    assert not (await verify(archive)).is_intact


def test_the_recipe_never_changes():
    """Frozen: another hash here would break every chain that exists."""
    body = (
        b'{"tenant":"acme","retraction_id":"0d8de0f2-6a4b-4a3a-9d0c-0a5f6b6f3a11","depth":2,'
        b'"destination":"junk","reason":"\xc3\xa9","requested_by":"alice","later":[1.5,{"a":null}]}'
    )
    message = delivery(retract(), message_id="one", body=body, traceparent="00-1-2-03")

    batch = append([entry(message)], {"acme": genesis("acme")}, {})

    assert batch.heads[0].row_hash.hex() == (
        "a2e3d34a7ec43a98f69fd9e8a336ccb1d6835448e44b9b669a7d42457372e10b"
    )
