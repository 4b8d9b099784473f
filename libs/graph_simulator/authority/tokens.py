"""Access tokens: issued, checked, revoked."""

import base64
import json
from collections import OrderedDict
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from libs.graph_simulator.graph.errors import GraphError, invalid_token
from libs.graph_simulator.graph.requests import Caller
from libs.graph_simulator.world.directory import Application, Tenant, World

GRAPH_APPLICATION = "00000003-0000-0000-c000-000000000000"
_CLOUD_AUDIENCES = frozenset(
    {
        GRAPH_APPLICATION,
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    }
)
_MOST_REMEMBERED = 1000
_ALGORITHM = "RS256"


class Tokens:
    """Signs and checks tokens with one key."""

    def __init__(self, world: World, key: RSAPrivateKey) -> None:
        self._world = world
        self._key = key
        self._key_id = base64.urlsafe_b64encode(world.new_guid().encode()).decode().rstrip("=")
        self._checked: OrderedDict[str, Mapping[str, object]] = OrderedDict()
        #: Our own addresses, set once the ports are known.
        self.audiences: set[str] = set(_CLOUD_AUDIENCES)
        self.authority_url = ""

    def issue(self, tenant: Tenant, application: Application, audience: str) -> tuple[str, int]:
        """Sign a token; returns it with the seconds it is good for."""
        lifetime = self._world.options.token_lifetime_seconds
        now = self._world.clock.now().timestamp()
        claims: dict[str, object] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + lifetime,
            "app_displayname": "undeliver",
            "appid": application.client_id,
            "appidacr": "1",
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": tenant.id,
            "uti": self._world.new_guid(),
            "ver": "1.0",
            # To the microsecond: a revocation within the same second must count.
            "xms_issued": now,
        }
        if application.roles:
            claims["roles"] = list(application.roles)
        headers = {"kid": self._key_id, "x5t": self._key_id}
        return jwt.encode(claims, self._key, _ALGORITHM, headers), lifetime

    def keys(self) -> dict[str, object]:
        """Return the public key (RFC 7517)."""
        key = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "use": "sig", "kid": self._key_id, "x5t": self._key_id}]}

    def caller(self, authorization: str | None) -> Caller:
        """Say who holds this token.

        Raises:
            GraphError: 401, with the texts of Graph.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refused("Access token is empty.")
        claims = self._claims(token.strip())
        now = self._world.clock.now().timestamp()
        if float(str(claims["exp"])) <= now:
            raise self._refused("Lifetime validation failed, the token is expired.")
        tenant = self._world.tenants.get(str(claims["tid"]).lower())
        application = tenant.applications.get(str(claims["appid"])) if tenant else None
        if tenant is None or application is None:
            raise self._refused("The identity of the calling application could not be established.")
        if float(str(claims["xms_issued"])) < application.tokens_valid_from:
            raise self._refused_by_event(application)
        return Caller(tenant, application)

    def _claims(self, token: str) -> Mapping[str, object]:
        known = self._checked.get(token)
        if known is not None:
            return known
        try:
            # Expiry is checked by the simulator's own clock.
            claims: Mapping[str, object] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                audience=self.audiences,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError as error:
            raise self._refused("Access token validation failure. Invalid audience.") from error
        except jwt.InvalidSignatureError as error:
            raise self._refused("Access token validation failure.") from error
        except jwt.PyJWTError as error:
            raise self._refused("CompactToken parsing failed with error code: 80049217") from error
        self._checked[token] = claims
        if len(self._checked) > _MOST_REMEMBERED:
            self._checked.popitem(last=False)
        return claims

    def _challenge(self) -> str:
        return (
            f'Bearer realm="", authorization_uri="{self.authority_url}/common/oauth2/authorize", '
            f'client_id="{GRAPH_APPLICATION}"'
        )

    def _refused(self, message: str) -> GraphError:
        return invalid_token(message, self._challenge())

    def _refused_by_event(self, application: Application) -> GraphError:
        since = str(int(application.tokens_valid_from))
        demand = {"access_token": {"nbf": {"essential": True, "value": since}}}
        claims = base64.b64encode(json.dumps(demand).encode()).decode()
        return invalid_token(
            "Continuous access evaluation resulted in challenge with result: InteractionRequired "
            "and code: TokenIssuedBeforeRevocationTimestamp",
            f'{self._challenge()}, error="insufficient_claims", claims="{claims}"',
        )
