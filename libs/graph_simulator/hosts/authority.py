"""The sign-in host."""

from datetime import datetime

from aiohttp import web

from libs.graph_simulator.authority.sign_in import SignIn, SignInError
from libs.graph_simulator.authority.tokens import Tokens
from libs.graph_simulator.graph.failures import ConnectionLostError, Facts
from libs.graph_simulator.graph.requests import Caller, Exchange
from libs.graph_simulator.graph.service import GraphService
from libs.graph_simulator.hosts.answers import json_answer, reset_connection
from libs.graph_simulator.world.directory import Application, Tenant

_LARGEST_FORM_BYTES = 64 * 1024


class AuthorityHost:
    """Tokens, keys and discovery."""

    def __init__(self, service: GraphService, tokens: Tokens) -> None:
        self._service = service
        self._world = service.world
        self._tokens = tokens
        self._sign_in = SignIn(service.world, tokens)
        #: Where it is, set once the port is known.
        self.url = ""

    def application(self) -> web.Application:
        """Lay out the paths."""
        application = web.Application(client_max_size=_LARGEST_FORM_BYTES)
        application.add_routes(
            [
                web.post("/{tenant}/oauth2/v2.0/token", self._token),
                web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
                web.get("/{tenant}/discovery/v2.0/keys", self._keys),
                web.get("/common/discovery/instance", self._instance),
            ]
        )
        return application

    async def _token(self, request: web.Request) -> web.Response:
        name = request.match_info["tenant"]
        form = {key: str(value) for key, value in (await request.post()).items()}
        facts = Facts("POST", request.path, "token", form.get("client_id", ""), is_inner=False)
        await self._service.delays.spend("token")
        effect = self._service.failures.effect("before", facts)
        try:
            if effect is not None:
                answer = await self._service.failures.apply(effect, self._exchange(), None)
                return self._counted(answer.status, answer.body, answer.headers)
            tenant = self._sign_in.tenant(name)
            endpoint = f"{self.url}/{name}/oauth2/v2.0/token"
            return self._counted(200, self._sign_in.token(tenant, form, endpoint))
        except SignInError as error:
            return self._counted(error.status, self._error_body(error))
        except ConnectionLostError:
            return reset_connection(request)

    def _counted(
        self, status: int, body: object, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._service.statistics.token_requests[str(status)] += 1
        headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", **(headers or {})}
        if isinstance(body, bytes):
            return web.Response(status=status, body=body, headers=headers)
        return json_answer(status, body, headers)

    def _exchange(self) -> Exchange:
        nobody = Caller(Tenant("", ()), Application("", ""))
        guid = self._world.new_guid()
        return Exchange(self.url, guid, guid, self._world.clock.monotonic(), nobody)

    def _error_body(self, error: SignInError) -> dict[str, object]:
        trace_id, correlation_id = self._world.new_guid(), self._world.new_guid()
        at = _stamp(self._world.clock.now())
        return {
            "error": error.error,
            "error_description": f"AADSTS{error.number}: {error.text} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {at}",
            "error_codes": [error.number],
            "timestamp": at,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{self.url}/error?code={error.number}",
        }

    async def _configuration(self, request: web.Request) -> web.Response:
        name = request.match_info["tenant"]
        if name.lower() not in {"common", "organizations"}:
            try:
                name = self._sign_in.tenant(name).id
            except SignInError as error:
                return json_answer(error.status, self._error_body(error))
        base = f"{self.url}/{name}"
        return json_answer(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
                "msgraph_host": "graph.microsoft.com",
            },
        )

    async def _keys(self, request: web.Request) -> web.Response:
        return json_answer(200, self._tokens.keys())

    async def _instance(self, request: web.Request) -> web.Response:
        host = self.url.removeprefix("https://")
        return json_answer(
            200,
            {
                "tenant_discovery_endpoint": (
                    f"{self.url}/common/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            },
        )


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
