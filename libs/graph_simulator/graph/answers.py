"""Messages as answers: what was selected, expanded, and in which form ids are wanted."""

from libs.graph_simulator.graph import extended_properties, rendering
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.queries import Query
from libs.graph_simulator.graph.rendering import Shown
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world.items import Item


def represent(call: Call, item: Item, query: Query) -> dict[str, object]:
    """Write what the query asks for of a copy."""
    rendered = rendering.message(Shown(call.mailbox, item, call.immutable), query.select)
    wanted = extended_properties.wanted_ids(query.expand)
    if wanted:
        extended = extended_properties.expanded(call.mailbox, item, wanted)
        if extended:
            rendered["singleValueExtendedProperties"] = extended
    return rendered


def entity(call: Call, item: Item, status: int) -> GraphResponse:
    """Answer with a whole message."""
    shown = Shown(call.mailbox, item, call.immutable)
    body: dict[str, object] = {"@odata.context": context(call)}
    return call.answer(status, body | rendering.message(shown, None))


def context(call: Call) -> str:
    """Name what a single message is."""
    return f"{call.context}users('{call.parameters['user']}')/messages/$entity"
