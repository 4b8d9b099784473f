"""A plain HTTP client of Graph, as thin as can be."""

from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from tests.graph_simulator.samples import APP, SECRET, TENANT

IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


async def sign_in(
    http: httpx.AsyncClient, authority_url: str, client_id: str = APP, tenant: str = TENANT
) -> str:
    answer = await ask_for_token(http, authority_url, tenant, client_id=client_id)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def ask_for_token(
    http: httpx.AsyncClient, authority_url: str, tenant: str = TENANT, **changes: str | None
) -> httpx.Response:
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": SECRET,
        "scope": "https://graph.microsoft.com/.default",
        **changes,
    }
    given = {name: value for name, value in form.items() if value is not None}
    return await http.post(f"{authority_url}/{tenant}/oauth2/v2.0/token", data=given)


@dataclass
class Graph:
    http: httpx.AsyncClient
    url: str
    token: str
    version: str = "v1.0"
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        json: object | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        return await self.http.request(
            method,
            f"{self.url}/{self.version}/{path}",
            params=query,
            json=json,
            headers={"Authorization": f"Bearer {self.token}", **self.headers, **(headers or {})},
        )

    async def get(
        self, path: str, query: dict[str, str] | None = None, *, immutable: bool = False
    ) -> httpx.Response:
        return await self.call("GET", path, query=query, headers=IMMUTABLE if immutable else {})

    async def find(self, user: str, message_id: str, *, immutable: bool = True) -> list[dict]:
        text = message_id.replace("'", "''")
        query = {"$filter": f"internetMessageId eq '{text}'"}
        answer = await self.get(f"users/{user}/messages", query, immutable=immutable)
        assert answer.status_code == 200, answer.text
        found: list[dict] = answer.json()["value"]
        return found

    async def batch(self, *requests: dict) -> httpx.Response:
        return await self.call("POST", "$batch", json={"requests": list(requests)})


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert set(error["innerError"]) >= {"date", "request-id", "client-request-id"}
    return answer.status_code, error["code"], error["message"]


def step(number: object, method: str, url: str, **fields: object) -> dict:
    return {"id": str(number), "method": method, "url": url, **fields}


def move_step(number: object, user: str, message: str, folder: str, **fields: object) -> dict:
    return step(
        number,
        "POST",
        f"/users/{user}/messages/{quote(message)}/move",
        headers={"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'},
        body={"destinationId": folder},
        **fields,
    )
