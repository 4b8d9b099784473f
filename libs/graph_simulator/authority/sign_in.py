"""The client credentials grant (Microsoft Entra, OAuth 2.0 client credentials flow)."""

from collections.abc import Mapping
from hmac import compare_digest

from libs.graph_simulator.authority.assertions import is_proved
from libs.graph_simulator.authority.tokens import Tokens
from libs.graph_simulator.world.directory import Application, Tenant, World

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class SignInError(Exception):
    """Answered as Entra's error body."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"AADSTS{number}")
        self.status = status
        self.error = error
        self.number = number
        self.text = text


class SignIn:
    """Checks who asks, and issues tokens."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens

    def tenant(self, name: str) -> Tenant:
        """Find a tenant by id or by one of its domains.

        Raises:
            SignInError: AADSTS90002.
        """
        found = self._world.tenants.get(name.lower())
        for tenant in self._world.tenants.values():
            if found is None and name.lower() in tenant.domains:
                found = tenant
        if found is None:
            raise SignInError(
                400,
                "invalid_request",
                90002,
                f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID.",
            )
        return found

    def token(self, tenant: Tenant, form: Mapping[str, str], endpoint: str) -> dict[str, object]:
        """Answer a token request.

        Raises:
            SignInError: with the number that Entra gives.
        """
        if form.get("grant_type") != "client_credentials":
            raise SignInError(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
            )
        client_id = _required(form, "client_id")
        application = tenant.applications.get(client_id)
        if application is None or not application.is_consented:
            raise SignInError(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{tenant.display_name or tenant.id}'. This can happen if the application has not "
                "been installed by the administrator of the tenant or consented to by any user in "
                "the tenant. You may have sent your authentication request to the wrong tenant.",
            )
        self._check_credential(application, form, endpoint)
        token, lifetime = self._tokens.issue(tenant, application, self._audience(form))
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }

    def _audience(self, form: Mapping[str, str]) -> str:
        scope = _required(form, "scope")
        resource, default, rest = scope.strip().rpartition("/.default")
        if not default or rest:
            raise SignInError(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must "
                "have a scope value with /.default suffixed to the resource identifier.",
            )
        if resource.rstrip("/") not in self._tokens.audiences:
            raise SignInError(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant.",
            )
        return resource.rstrip("/")

    def _check_credential(
        self, application: Application, form: Mapping[str, str], endpoint: str
    ) -> None:
        if "client_assertion" in form:
            self._check_assertion(application, form, endpoint)
            return
        secret = form.get("client_secret")
        if secret is None:
            raise SignInError(
                401,
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'.",
            )
        if application.is_secret_expired:
            raise SignInError(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{application.client_id}' are expired.",
            )
        known = application.client_secret
        if known is None or not compare_digest(secret.encode(), known.encode()):
            raise SignInError(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{application.client_id}'.",
            )

    def _check_assertion(
        self, application: Application, form: Mapping[str, str], endpoint: str
    ) -> None:
        known_type = form.get("client_assertion_type") == _JWT_BEARER
        now = self._world.clock.now().timestamp()
        if known_type and is_proved(application, form["client_assertion"], endpoint, now):
            return
        raise SignInError(
            401,
            "invalid_client",
            700027,
            "The certificate with identifier used to sign the client assertion is not registered "
            "on application, or the assertion is not valid.",
        )


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise SignInError(
            400,
            "invalid_request",
            900144,
            f"The request body must contain the following parameter: '{name}'.",
        )
    return value
