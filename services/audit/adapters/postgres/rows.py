"""Rows of the log become records again."""

from collections.abc import Mapping
from typing import Any

from services.audit.domain.record import Head, Hidden, Link, Properties, Record

Row = Mapping[str, Any]


def head_of(row: Row) -> Head:
    """Return a row of `heads`."""
    return Head(row["chain"], row["number"], row["row_hash"])


def record_of(row: Row) -> Record:
    """Return a row of `log`, with what `personal` has of it."""
    return Record(
        properties=_properties_of(row),
        public=row["public"],
        link=Link(
            chain=row["chain"],
            number=row["number"],
            previous_hash=row["previous_hash"],
            personal_hash=row["personal_hash"],
            row_hash=row["row_hash"],
        ),
        is_erased=row["is_erased"],
        hidden=None if row["salt"] is None else Hidden(row["salt"], row["content"]),
    )


def _properties_of(row: Row) -> Properties:
    return Properties(
        message_id=row["message_id"],
        type=row["type"],
        publisher=row["publisher"],
        tenant=row["tenant"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        app_id=row["app_id"],
        traceparent=row["traceparent"],
        made_at=row["made_at"],
        recorded_at=row["recorded_at"],
        body_kind=row["body_kind"],
        flags=tuple(row["flags"]),
        refusal=row["refusal"],
        edition=row["edition"],
        format=row["format"],
    )
