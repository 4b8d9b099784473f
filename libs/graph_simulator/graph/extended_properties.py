"""MAPI properties of a message by tag (`singleValueExtendedProperties`)."""

import base64
import re

from libs.graph_simulator.graph.errors import GraphError, bad_request
from libs.graph_simulator.graph.filter_parsing import parse
from libs.graph_simulator.graph.filters import Comparison, Either, FilterError, Node
from libs.graph_simulator.world.ids import folder_entry
from libs.graph_simulator.world.items import NON_RECEIPT, READ_RECEIPT, Item
from libs.graph_simulator.world.mailbox import Mailbox

_EXPAND = re.compile(
    r"singlevalueextendedproperties\s*\(\s*\$filter\s*=(.*)\)\s*$", re.IGNORECASE | re.DOTALL
)
_ID = re.compile(
    r"(String|Binary|Boolean|Integer|SystemTime|Long|Double|CLSID)"
    r" (0x[0-9A-Fa-f]{1,4}|\{[0-9A-Fa-f-]{36}\} (Name .{1,200}|Id 0x[0-9A-Fa-f]{1,8}))"
)
_MOST_OWN = 50
_LARGEST_VALUE = 32_768


def properties(mailbox: Mailbox, item: Item) -> dict[str, str]:
    """Return all that a copy has, by id."""
    found = {
        "String 0x1035": item.message.internet_message_id,
        "Binary 0x0071": base64.b64encode(item.conversation_index).decode("ascii"),
        "Binary 0x3013": base64.b64encode(item.conversation).decode("ascii"),
        READ_RECEIPT: str(item.wants_read_receipt).lower(),
        NON_RECEIPT: str(item.wants_non_receipt).lower(),
    }
    for key, header in (("String 0x1042", "In-Reply-To"), ("String 0x1039", "References")):
        value = item.message.first(header)
        if value:
            found[key] = value
    if item.last_active_folder is not None:
        found["Binary 0x348A"] = last_active_folder(mailbox, item.last_active_folder)
    return found | item.extended


def last_active_folder(mailbox: Mailbox, number: int) -> str:
    """Write where a deleted copy was: the last 24 bytes of the folder's id, but for two zeros."""
    return base64.b64encode(folder_entry(mailbox.guid, mailbox.store, number)[22:44]).decode(
        "ascii"
    )


def expanded(mailbox: Mailbox, item: Item, wanted: frozenset[str]) -> list[dict[str, str]]:
    """Return those of the wanted ids that the copy has."""
    return [
        {"id": key, "value": value}
        for key, value in properties(mailbox, item).items()
        if key.lower() in wanted
    ]


def wanted_ids(expand: str) -> frozenset[str] | None:
    """Read `$expand`; None if it is not there.

    Raises:
        GraphError: something else than extended properties by id.
    """
    if not expand.strip():
        return None
    found = _EXPAND.match(expand.strip())
    if found is None:
        raise bad_request("Only singleValueExtendedProperties($filter=id eq '…') can be expanded.")
    try:
        return frozenset(_ids(parse(found.group(1))))
    except FilterError as error:
        raise bad_request(f"Invalid filter clause: {error}") from error


def change(item: Item, given: object) -> None:
    """Set properties as a PATCH says.

    Raises:
        GraphError: not a list of ids with values.
    """
    if not isinstance(given, list):
        raise _invalid()
    for entry in given:
        if not isinstance(entry, dict):
            raise _invalid()
        key, value = entry.get("id"), entry.get("value")
        if not isinstance(key, str) or not isinstance(value, str) or not _ID.fullmatch(key):
            raise _invalid()
        _set(item, key, value)


def _set(item: Item, key: str, value: str) -> None:
    canonical = key.replace("0X", "0x").lower()
    if canonical in {READ_RECEIPT.lower(), NON_RECEIPT.lower()}:
        if value.lower() not in {"true", "false"}:
            raise _invalid()
        if canonical == READ_RECEIPT.lower():
            item.wants_read_receipt = value.lower() == "true"
        else:
            item.wants_non_receipt = value.lower() == "true"
        return
    if len(item.extended) >= _MOST_OWN or len(value) > _LARGEST_VALUE:
        raise _invalid()
    item.extended[key] = value


def _ids(node: Node) -> list[str]:
    if isinstance(node, Either):
        return _ids(node.left) + _ids(node.right)
    if isinstance(node, Comparison) and (node.path, node.operator) == ("id", "eq"):
        return [str(node.value).lower()]
    raise FilterError("only `id eq` and `or`")


def _invalid() -> GraphError:
    return GraphError(400, "ErrorInvalidProperty", "The extended property is invalid.")
