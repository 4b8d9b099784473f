"""How a service and its worker processes speak: lengths, JSON, raw mail.

JSON and not pickle: a process that hostile mail has taken over must not be able to take over ours.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.verdict import Verdict

#: Length of the JSON, length of the raw mail.
REQUEST_HEAD = struct.Struct(">IQ")
ANSWER_HEAD = struct.Struct(">I")
MAX_ANSWER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One message to look at. Without circumstances, only its DNS names are wanted."""

    about: Circumstances | None
    #: The bytes are a file of a person, which may be a report with the message inside.
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker found; or, where it failed, how, without a word of the message."""

    verdict: Verdict | None = None
    questions: tuple[str, ...] = ()
    failure: Literal["memory", "failed"] | None = None
    #: Kind of the error and the place in our code.
    place: str = ""


REQUESTS: TypeAdapter[Request] = TypeAdapter(Request)
ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)
