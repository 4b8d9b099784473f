"""The directory (Graph v1.0, user)."""

from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import GraphError, bad_request, resource_not_found
from libs.graph_simulator.graph.filters import Comparison, FilterError, matches, paths
from libs.graph_simulator.graph.filters import Node as FilterNode
from libs.graph_simulator.graph.queries import next_link, read_query
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world.mailbox import Mailbox

_USUAL = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)


def list_users(call: Call) -> GraphResponse:
    """Everybody, or those whom the filter fits."""
    query = read_query(call.request, default_top=100, largest_top=999)
    everyone = list(call.tenant.mailboxes.values())
    found = everyone if query.filter is None else _filtered(call, everyone, query.filter)
    start = _position(query.skip_token)
    body: dict[str, object] = {"@odata.context": f"{call.context}users"}
    if query.wants_count:
        body["@odata.count"] = len(found)
    page = found[start : start + query.top]
    body["value"] = [_selected(one, query.select) for one in page]
    if len(found) > start + query.top:
        token = f"RFNwdAIAAQ{start + query.top:08d}"
        body["@odata.nextLink"] = next_link(call.exchange, call.request, "$skiptoken", token)
    return call.answer(200, body)


def get_user(call: Call) -> GraphResponse:
    """One user by object id or user principal name."""
    query = read_query(call.request, default_top=100, largest_top=999)
    found = call.tenant.find_user(call.parameters["user"])
    if found is None:
        raise resource_not_found(call.parameters["user"])
    body = {"@odata.context": f"{call.context}users/$entity"}
    return call.answer(200, body | _selected(found, query.select))


def _properties(mailbox: Mailbox) -> dict[str, object]:
    proxies = [f"SMTP:{mailbox.address}", *(f"smtp:{alias}" for alias in mailbox.aliases)]
    first, _, last = mailbox.display_name.partition(" ")
    has_mail = mailbox.kind != "no_mailbox"
    return {
        "businessPhones": [],
        "displayName": mailbox.display_name,
        "givenName": first or None,
        "jobTitle": None,
        "mail": mailbox.address if has_mail else None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": last or None,
        "userPrincipalName": mailbox.address,
        "id": mailbox.object_id,
        "proxyAddresses": proxies if has_mail else [],
        "accountEnabled": mailbox.kind not in {"shared", "room"},
        "userType": "Member",
        "mailNickname": mailbox.address.partition("@")[0],
    }


def _selected(mailbox: Mailbox, select: tuple[str, ...] | None) -> dict[str, object]:
    known = _properties(mailbox)
    if select is None:
        return {name: known[name] for name in _USUAL}
    spelling = {name.lower(): name for name in known}
    unknown = [name for name in select if name not in spelling]
    if unknown:
        raise bad_request(
            f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.user'."
        )
    return {spelling[name]: known[spelling[name]] for name in select}


def _filtered(call: Call, everyone: list[Mailbox], node: FilterNode) -> list[Mailbox]:
    allowed = {"proxyaddresses", "mail", "userprincipalname", "id", "displayname", "accountenabled"}
    if any(path not in allowed for path in paths(node)):
        raise _unsupported("Unsupported or invalid query filter clause specified for property.")
    if _is_advanced(node) and not _is_eventual(call):
        raise _unsupported("The filter needs ConsistencyLevel: eventual and $count=true.")
    if isinstance(node, Comparison) and node.path == "proxyaddresses":
        raise _unsupported("A collection is filtered with any().")
    try:
        return [one for one in everyone if matches(node, _Resolver(one))]
    except (KeyError, FilterError) as error:
        raise bad_request(f"Invalid filter clause: {error}") from error


class _Resolver:
    """Gives a filter the properties of one user."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._known = {name.lower(): value for name, value in _properties(mailbox).items()}

    def __call__(self, path: str) -> object:
        return self._known[path]


def _is_advanced(node: FilterNode) -> bool:
    return "operator='endswith'" in repr(node) or "operator='ne'" in repr(node)


def _is_eventual(call: Call) -> bool:
    eventual = call.request.headers.get("consistencylevel", "").lower() == "eventual"
    return eventual and call.request.query.get("$count", "").lower() == "true"


def _unsupported(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)


def _position(token: str) -> int:
    digits = token[-8:]
    if token and not (digits.isascii() and digits.isdigit()):
        raise bad_request("The skip token is invalid.", "Directory_ExpiredPageToken")
    return int(digits) if token else 0
