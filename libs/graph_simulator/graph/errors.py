"""The errors of Graph, with the texts that were seen."""

from datetime import datetime

from libs.graph_simulator.graph.requests import Exchange, GraphResponse


class GraphError(Exception):
    """Answered as Graph's error body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        inner_code: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.inner_code = inner_code

    def response(self, exchange: Exchange, now: datetime) -> GraphResponse:
        """Write the body as Graph does."""
        inner: dict[str, object] = {"code": self.inner_code} if self.inner_code else {}
        inner |= inner_error(exchange.request_id, exchange.client_request_id, now)
        error = {"code": self.code, "message": self.message, "innerError": inner}
        return GraphResponse(self.status, {"error": error}, dict(self.headers))


def inner_error(request_id: str, client_request_id: str, now: datetime) -> dict[str, object]:
    """Write what support asks for."""
    return {
        "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": client_request_id,
    }


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """Something that no retry makes right."""
    return GraphError(400, code, message)


def unparsable(message: str) -> GraphError:
    """A query that Outlook cannot read."""
    return GraphError(400, "RequestBroker--ParseUri", message)


def no_such_property(name: str, kind: str = "Microsoft.OutlookServices.Message") -> GraphError:
    """A property that the entity does not have."""
    return unparsable(f"Could not find a property named '{name}' on type '{kind}'.")


def no_such_segment(name: str) -> GraphError:
    """A path that leads nowhere."""
    return bad_request(f"Resource not found for the segment '{name}'.")


def item_not_found() -> GraphError:
    """Moved, deleted, or never there."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def id_malformed() -> GraphError:
    """Not an id."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def id_of_other_mailbox() -> GraphError:
    """An id with another mailbox's GUID in it."""
    return GraphError(
        404,
        "ErrorInvalidMailboxItemId",
        "Item Id doesn't belong to the current mailbox.",
    )


def cannot_delete() -> GraphError:
    """Deleted before: it lies in Recoverable Items."""
    return GraphError(403, "ErrorCannotDeleteObject", "Object cannot be deleted.")


def access_denied(
    message: str = "Access is denied. Check credentials and try again.",
) -> GraphError:
    """Refused by Exchange. The other text is that of the older access policies."""
    return GraphError(403, "ErrorAccessDenied", message)


def invalid_user(name: str) -> GraphError:
    """Exchange does not know the user."""
    return GraphError(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.")


def no_cloud_mailbox() -> GraphError:
    """A user whose mailbox is not in Exchange Online, or is no more."""
    return GraphError(
        404,
        "MailboxNotEnabledForRESTAPI",
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    )


def resource_not_found(name: str) -> GraphError:
    """Not in the directory."""
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{name}' does not exist or one of its queried reference-property objects are "
        "not present.",
    )


def insufficient_privileges() -> GraphError:
    """The application lacks a permission for the directory."""
    return GraphError(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )


def application_throttled(limit: str, retry_after: str) -> GraphError:
    """Over a limit of one application and one mailbox."""
    return GraphError(
        429,
        "ApplicationThrottled",
        f"Application is over its {limit} limit.",
        headers={"Retry-After": retry_after, "Cache-Control": "private"},
    )


def too_many_requests(retry_after: str) -> GraphError:
    """Over the limit of one application everywhere."""
    return GraphError(
        429,
        "TooManyRequests",
        "Please retry again later.",
        headers={"Retry-After": retry_after},
        inner_code="429",
    )


def invalid_token(message: str, challenge: str) -> GraphError:
    """No token, or none that counts any more."""
    return GraphError(
        401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge}
    )
