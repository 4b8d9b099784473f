"""Which path leads where. Names of segments may be in any case of letters."""

from collections.abc import Callable

from libs.graph_simulator.graph import listings, mail_folders, messages, users
from libs.graph_simulator.graph.calls import Call, Route
from libs.graph_simulator.graph.errors import GraphError, no_such_segment
from libs.graph_simulator.graph.requests import GraphResponse

_READ = ("Mail.Read", "Mail.ReadBasic.All", "Mail.ReadBasic", "Mail.ReadWrite")
_WRITE = ("Mail.ReadWrite",)
_DIRECTORY = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "User.ReadBasic.All")
_MESSAGE = "users/{user}/messages/{message}"


def _route(
    method: str,
    path: str,
    operation: str,
    answer: Callable[[Call], GraphResponse],
    roles: tuple[str, ...],
) -> Route:
    return Route(method, tuple(path.lower().split("/")), operation, answer, roles)


def _message_routes(prefix: str) -> list[Route]:
    return [
        _route("GET", prefix, "get_message", messages.get_message, _READ),
        _route("PATCH", prefix, "patch_message", messages.patch_message, _WRITE),
        _route("DELETE", prefix, "delete_message", messages.delete_message, _WRITE),
        _route("GET", f"{prefix}/$value", "get_mime", messages.get_mime, _READ),
        *(
            _route("POST", f"{prefix}/{namespace}{name}", operation, answer, _WRITE)
            for namespace in ("", "microsoft.graph.")
            for name, operation, answer in (
                ("move", "move", messages.move_message),
                ("copy", "copy", messages.copy_message),
                ("permanentDelete", "permanent_delete", messages.permanently_delete),
            )
        ),
    ]


ROUTES = (
    _route("GET", "users", "list_users", users.list_users, _DIRECTORY),
    _route("GET", "users/{user}", "get_user", users.get_user, _DIRECTORY),
    _route("GET", "users/{user}/messages", "list_messages", listings.list_messages, _READ),
    *_message_routes(_MESSAGE),
    _route("GET", "users/{user}/mailFolders", "list_folders", mail_folders.list_folders, _READ),
    _route(
        "GET", "users/{user}/mailFolders/{folder}", "get_folder", mail_folders.get_folder, _READ
    ),
    _route(
        "GET",
        "users/{user}/mailFolders/{folder}/childFolders",
        "list_child_folders",
        mail_folders.list_child_folders,
        _READ,
    ),
    _route(
        "GET",
        "users/{user}/mailFolders/{folder}/messages",
        "list_folder_messages",
        listings.list_folder_messages,
        _READ,
    ),
    *_message_routes("users/{user}/mailFolders/{folder}/messages/{message}"),
)
_BY_LENGTH = {
    length: [route for route in ROUTES if len(route.pattern) == length] for length in range(1, 8)
}
OPERATIONS = tuple(dict.fromkeys(route.operation for route in ROUTES))


def resolve(method: str, segments: tuple[str, ...]) -> tuple[Route, dict[str, str]]:
    """Find the route and what its `{…}` stand for.

    Raises:
        GraphError: nothing is there, or not for this method.
    """
    lowered = tuple(segment.lower() for segment in segments)
    fitting = [one for one in _BY_LENGTH.get(len(lowered), ()) if _fits(one.pattern, lowered)]
    if not fitting:
        raise no_such_segment(_lost_at(lowered, segments))
    for route in fitting:
        if route.method == method:
            pairs = zip(route.pattern, segments, strict=True)
            return route, {name[1:-1]: text for name, text in pairs if name.startswith("{")}
    raise GraphError(
        405,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
    )


def _fits(pattern: tuple[str, ...], lowered: tuple[str, ...]) -> bool:
    return len(pattern) == len(lowered) and all(
        name.startswith("{") or name == segment
        for name, segment in zip(pattern, lowered, strict=True)
    )


def _lost_at(lowered: tuple[str, ...], segments: tuple[str, ...]) -> str:
    for length in range(1, len(lowered) + 1):
        if not any(_fits(route.pattern[:length], lowered[:length]) for route in ROUTES):
            return segments[length - 1]
    return segments[-1] if segments else ""
