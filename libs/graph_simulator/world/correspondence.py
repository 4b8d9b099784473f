"""Answers and forwards as Outlook writes them, and as the outside world does."""

import base64
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from libs.graph_simulator.world import conversations
from libs.graph_simulator.world.delivery import Placed
from libs.graph_simulator.world.directory import World
from libs.graph_simulator.world.messages import Message

_MOST_REFERENCES = 100
#: Folding would write a long Message-ID as an encoded word, which nobody's parent has.
_UNFOLDED = SMTP.clone(max_line_length=100_000)


def answer(
    world: World,
    parent: Placed,
    *,
    author: str,
    to: Sequence[str],
    cc: Sequence[str] = (),
    text: str = "",
    is_forward: bool = False,
    keeps_index: bool = True,
) -> bytes:
    """Write the MIME of a reply to, or forward of, a copy.

    Outlook adds five bytes to the copy's conversation index; programs elsewhere often write no
    Thread-Index at all (`keeps_index=False`).
    """
    message = parent.item.message
    mail = EmailMessage(policy=_UNFOLDED)
    mail["From"] = formataddr((_name_of(world, author), author))
    mail["To"] = ", ".join(to)
    if cc:
        mail["Cc"] = ", ".join(cc)
    mail["Subject"] = f"{'FW' if is_forward else 'RE'}: {topic_of(message)}"
    mail["Date"] = format_datetime(world.clock.now())
    mail["Message-ID"] = f"<{world.new_guid()}@{author.partition('@')[2]}>"
    mail["In-Reply-To"] = message.internet_message_id
    mail["References"] = _references(message)
    if keeps_index:
        mail["Thread-Topic"] = topic_of(message)
        mail["Thread-Index"] = _thread_index(world, parent)
    quoted = "\n".join(f"> {line[:300]}" for line in message.body[1].splitlines()[:200])
    mail.set_content(f"{text}\n\n{quoted}\n")
    return mail.as_bytes()


def topic_of(message: Message) -> str:
    """The subject without the marks of answers."""
    topic = message.subject.replace("\r", " ").replace("\n", " ").strip()
    while topic[:3].upper() in {"RE:", "FW:"}:
        topic = topic[3:].strip()
    return topic[:255]


def everyone_else(message: Message, author: str) -> tuple[list[str], list[str]]:
    """Whom `reply all` goes to: To (with the sender first) and Cc, without the author."""
    mine = author.lower()
    senders = message.people("Reply-To") or message.people("From")
    to = [person.address for person in (*senders, *message.people("To"))]
    cc = [person.address for person in message.people("Cc")]
    unique = dict.fromkeys(one for one in to if one.lower() != mine)
    return list(unique), [one for one in dict.fromkeys(cc) if one.lower() != mine]


def _references(message: Message) -> str:
    earlier = (message.first("References") or message.first("In-Reply-To") or "").split()
    return " ".join([*earlier[-_MOST_REFERENCES:], message.internet_message_id])


def _thread_index(world: World, parent: Placed) -> str:
    chance = world.random.getrandbits(8)
    index = conversations.child_index(parent.item.conversation_index, world.clock.now(), chance)
    return base64.b64encode(index).decode("ascii")


def _name_of(world: World, address: str) -> str:
    found = world.find_address(address)
    return found[1].display_name if found else ""
