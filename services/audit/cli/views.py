"""Records as people and programs read them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from libs.common.terminal import Output, cell
from services.audit.domain.reconstruction import public_part, whole_body
from services.audit.domain.record import Head, Record, describe
from services.audit.domain.search import Found
from services.audit.domain.verification import ChainReport, Verification

_COLUMNS = ("record", "recorded_at", "type", "publisher", "says", "flags")

#: Public fields that say in a few words what a message is about, in the order of telling.
_TELLING = (
    "disposition",
    "action",
    "destination",
    "dry_run",
    "outcome",
    "status",
    "kind",
    "folder_before",
    "folder_after",
    "reason",
    "counts",
    "retraction_id",
    "version",
)


def print_found(output: Output, found: Sequence[Found]) -> None:
    """Print records as a table, or as JSON lines."""
    row = brief if output.as_json else _row
    output.records([row(each) for each in found], _COLUMNS, empty="no record meets that")


def print_line(output: Output, found: Found) -> None:
    """Print one record at once, on a line."""
    if output.as_json:
        output.record(brief(found))
    else:
        row = _row(found)
        output.text("  ".join(cell(row[column]) for column in _COLUMNS))


def brief(found: Found) -> dict[str, object]:
    """Return a record without what is personal in its body, and without its hashes."""
    record = found.record
    return {
        **_described(record),
        "section": found.section,
        "disposition": found.disposition,
        "outcome": found.outcome,
        "erased": record.is_erased,
        "public": public_part(record),
    }


def print_whole(output: Output, found: Found, *, personal: bool) -> None:
    """Print all of a record; its whole body only if asked for, null where it is erased."""
    record, link = found.record, found.record.link
    shown = brief(found)
    if personal:
        shown["body"] = _readable(whole_body(record))
    if not output.as_json:
        shown = _spread(shown, "body" if personal else "public")
    hashes = {
        "previous_hash": link.previous_hash.hex(),
        "personal_hash": link.personal_hash.hex(),
        "row_hash": link.row_hash.hex(),
    }
    output.record({**shown, **hashes})


def exported(record: Record, *, personal: bool) -> dict[str, object]:
    """Return a line of an export (docs/adr/0004-chain-format.md)."""
    hidden = record.hidden if personal else None
    return {
        "properties": _described(record),
        "public": record.public.decode(errors="replace"),
        "personal_hash": record.link.personal_hash.hex(),
        "previous_hash": record.link.previous_hash.hex(),
        "row_hash": record.link.row_hash.hex(),
        "salt": hidden.salt.hex() if hidden else None,
        "personal": base64.b64encode(hidden.content).decode() if hidden else None,
    }


def exported_head(head: Head) -> dict[str, object]:
    """Return the line of an export that says where a chain ends."""
    return {"head": {"chain": head.chain, "number": head.number, "row_hash": head.row_hash.hex()}}


def print_verification(output: Output, verification: Verification) -> None:
    """Print what walking the chains has shown."""
    rows = [_chain(report) for report in verification.chains]
    if output.as_json:
        output.record(
            {
                "verified": verification.is_intact,
                "records": verification.records,
                "chains": rows,
            }
        )
        return
    output.records(rows, tuple(rows[0]) if rows else (), empty="the record is empty")
    verdict = "every chain holds" if verification.is_intact else "NOT INTACT"
    output.text(f"{verification.records} records: {verdict}")


def _chain(report: ChainReport) -> dict[str, object]:
    first = report.first_break
    return {
        "chain": report.chain,
        "records": report.records,
        "erased": report.erased,
        "head_number": report.head.number,
        "head_hash": report.head.row_hash.hex(),
        "broken_at": first.number if first else None,
        "difference": first.difference.value if first else None,
    }


def _described(record: Record) -> dict[str, object]:
    return describe(record.link.chain, record.link.number, record.properties)


def _row(found: Found) -> dict[str, object]:
    properties = found.record.properties
    return {
        "record": f"{found.chain}/{found.number}",
        "recorded_at": properties.recorded_at,
        "type": properties.type,
        "publisher": properties.publisher,
        "says": _says(public_part(found.record)),
        "flags": properties.flags,
    }


def _says(public: Mapping[str, Any] | None) -> str:
    if public is None:
        return "body not understood"
    told = {name: public[name] for name in _TELLING if public.get(name) not in (None, False)}
    return ", ".join(f"{name} {cell(value)}" for name, value in told.items())


def _spread(shown: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a record with a line for each field of its body: tables cut what is long."""
    body = shown[name]
    rest = {key: value for key, value in shown.items() if key not in {"public", "body"}}
    if not isinstance(body, Mapping):
        return {**rest, name: body}
    return {**rest, **{f"{name}: {field}": value for field, value in body.items()}}


def _readable(body: object) -> object:
    return body.decode(errors="backslashreplace") if isinstance(body, bytes) else body
