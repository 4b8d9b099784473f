"""The copy or folder that a path or a body names."""

from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import id_malformed, id_of_other_mailbox, item_not_found
from libs.graph_simulator.world import ids
from libs.graph_simulator.world.folders import ARCHIVE_MAILBOX_NAMES, WELL_KNOWN, Folder
from libs.graph_simulator.world.items import Item


def find_item(call: Call) -> Item:
    """Look the message of the path up.

    Raises:
        GraphError: damaged, of another mailbox, or not there (any more).
    """
    parsed = _parsed(call, call.parameters["message"])
    item = call.mailbox.find_item(parsed)
    if item is None:
        raise item_not_found()
    return item


def find_folder(call: Call, name: str) -> Folder:
    """Look a folder up by id or well-known name, in any case of letters.

    Raises:
        GraphError: damaged, of another mailbox, or not there.
    """
    known = WELL_KNOWN.get(name.lower())
    if known is not None and (known.listed or call.world.options.unlisted_folder_names):
        return call.mailbox.well_known(known.name)
    if name.lower() in ARCHIVE_MAILBOX_NAMES:
        raise id_of_other_mailbox()
    folder = call.mailbox.find_folder(_parsed(call, name))
    if folder is None:
        raise item_not_found()
    return folder


def _parsed(call: Call, text: str) -> ids.ParsedId:
    try:
        parsed = ids.parse(text)
    except ids.MalformedIdError as error:
        raise id_malformed() from error
    if parsed.mailbox_guid not in (None, call.mailbox.guid):
        raise id_of_other_mailbox()
    return parsed
