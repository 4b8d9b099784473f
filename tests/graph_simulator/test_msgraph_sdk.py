"""msgraph-sdk as its users write it: what the simulator says must be what the SDK understands."""

import json
import ssl
import warnings
from collections.abc import AsyncIterator

import httpx
import pytest
from azure.identity.aio import ClientSecretCredential

from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import move_step, step
from tests.graph_simulator.samples import ALICE, APP, BOB, EVE, PHISH, SECRET, TENANT, mail

with warnings.catch_warnings():
    # Importing the SDK warns of its own old names.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_abstractions.method import Method
    from kiota_abstractions.request_information import RequestInformation
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from kiota_http.middleware.options import RetryHandlerOption
    from msgraph.generated.models.message import Message
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.single_value_legacy_extended_property import (
        SingleValueLegacyExtendedProperty,
    )
    from msgraph.generated.users.item.messages.item.move.move_post_request_body import (
        MovePostRequestBody,
    )
    from msgraph.generated.users.item.messages.messages_request_builder import (
        MessagesRequestBuilder,
    )
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder
    from msgraph.graph_request_adapter import GraphRequestAdapter
    from msgraph.graph_service_client import GraphServiceClient
    from msgraph_core import GraphClientFactory

# It goes on importing while it parses.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

IMMUTABLE = 'IdType="ImmutableId"'
Query = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters


@pytest.fixture
async def adapter(simulator: Simulator) -> AsyncIterator[GraphRequestAdapter]:
    context = ssl.create_default_context(cafile=simulator.ca_file)
    credential = ClientSecretCredential(
        TENANT,
        APP,
        SECRET,
        authority=simulator.authority_url,
        connection_verify=str(simulator.ca_file),
    )
    options = {RetryHandlerOption.get_key(): RetryHandlerOption(max_retries=0)}
    # The SDK's own transport does not close the one that it wraps.
    async with credential, httpx.AsyncHTTPTransport(verify=context) as transport:
        plain = httpx.AsyncClient(transport=transport)
        http = GraphClientFactory.create_with_default_middleware(options=options, client=plain)
        authentication = AzureIdentityAuthenticationProvider(
            credential,
            scopes=["https://graph.microsoft.com/.default"],
            allowed_hosts=["localhost"],
        )
        adapter = GraphRequestAdapter(authentication, client=http)
        adapter.base_url = f"{simulator.graph_url}/v1.0"
        yield adapter


@pytest.fixture
def client(adapter: GraphRequestAdapter) -> GraphServiceClient:
    return GraphServiceClient(request_adapter=adapter)


@pytest.fixture
def copies(simulator: Simulator):
    extra = "Disposition-Notification-To: eve@evil.example\n"
    return simulator.admin.deliver(mail(extra=extra), EVE, [ALICE, BOB]).copies


def configured(**query: object) -> RequestConfiguration:
    configuration = RequestConfiguration(query_parameters=Query(**query))
    configuration.headers.add("Prefer", IMMUTABLE)
    return configuration


async def test_typed_calls_find_patch_and_move(client: GraphServiceClient, simulator, copies):
    text = PHISH.replace("'", "''")
    messages = client.users.by_user_id(BOB).messages

    page = await messages.get(
        configured(
            filter=f"internetMessageId eq '{text}'",
            select=["id", "internetMessageId", "isRead", "conversationIndex", "from"],
            expand=["singleValueExtendedProperties($filter=id eq 'Boolean 0x0C06')"],
            top=50,
        )
    )
    (found,) = page.value
    receipts = [
        SingleValueLegacyExtendedProperty(id=f"Boolean {tag}", value="false")
        for tag in ("0x0C06", "0x0029")
    ]
    patched = await messages.by_message_id(found.id).patch(
        Message(single_value_extended_properties=receipts)
    )
    moved = await messages.by_message_id(found.id).move.post(
        MovePostRequestBody(destination_id="recoverableitemsdeletions"),
        configured(),
    )

    assert found.id == copies[1].immutable_id
    assert (found.internet_message_id, found.is_read) == (PHISH, False)
    assert found.from_.email_address.address == EVE
    assert len(found.conversation_index) >= 22
    assert found.single_value_extended_properties[0].value == "true"
    assert patched.is_read_receipt_requested is False
    assert moved.id == found.id
    assert simulator.admin.copies(mailbox=BOB)[0].folder == "recoverableitemsdeletions"
    assert simulator.admin.receipts() == []


async def test_typed_permanent_delete_purges(client: GraphServiceClient, simulator, copies):
    message = client.users.by_user_id(BOB).messages.by_message_id(copies[1].immutable_id)

    await message.permanent_delete.post()

    assert simulator.admin.copies(mailbox=BOB)[0].folder == "recoverableitemspurges"


async def test_typed_directory_and_folders(client: GraphServiceClient):
    parameters = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        filter="proxyAddresses/any(p:p eq 'smtp:a.smith@contoso.example')",
        select=["id", "mail", "proxyAddresses"],
    )
    users = await client.users.get(RequestConfiguration(query_parameters=parameters))
    user = client.users.by_user_id(users.value[0].id)

    folders = await user.mail_folders.get()
    purges = await user.mail_folders.by_mail_folder_id("recoverableitemspurges").get()

    assert users.value[0].mail == ALICE
    assert "SMTP:alice@contoso.example" in users.value[0].proxy_addresses
    assert {one.display_name for one in folders.value} >= {"Inbox", "Junk Email"}
    assert purges.display_name == "Purges"


async def test_typed_pages_follow_the_next_link(client: GraphServiceClient, simulator, copies):
    for number in range(12):
        simulator.admin.deliver(mail(message_id=f"<{number}@x>"), EVE, [BOB])
    messages = client.users.by_user_id(BOB).messages

    first = await messages.get(configured(select=["internetMessageId"]))
    second = await messages.with_url(first.odata_next_link).get()

    assert (len(first.value), len(second.value)) == (10, 3)
    assert second.odata_next_link is None


@pytest.mark.parametrize(
    ("user", "message", "status", "code"),
    [
        (BOB, "nonsense", 400, "ErrorInvalidIdMalformed"),
        ("nobody@contoso.example", "x", 404, "ErrorInvalidUser"),
        ("out_of_scope@contoso.example", "x", 403, "ErrorAccessDenied"),
        ("on_premises@contoso.example", "x", 404, "MailboxNotEnabledForRESTAPI"),
    ],
)
async def test_errors_become_the_sdk_s_own(
    client: GraphServiceClient, user: str, message: str, status: int, code: str
):
    with pytest.raises(ODataError) as refused:
        await client.users.by_user_id(user).messages.by_message_id(message).get()

    assert (refused.value.response_status_code, refused.value.error.code) == (status, code)
    assert refused.value.error.inner_error.request_id
    assert refused.value.error.inner_error.client_request_id


async def test_throttling_reaches_the_caller_with_its_time(client: GraphServiceClient, simulator):
    effect = Effect(status=429, code="ApplicationThrottled", retry_after="1")
    simulator.admin.add_rule(Rule(match=Match(mailbox=BOB), effect=effect))

    with pytest.raises(ODataError) as refused:
        await client.users.by_user_id(BOB).messages.get()

    assert refused.value.response_status_code == 429
    assert refused.value.response_headers["retry-after"] == "1"
    assert simulator.admin.statistics()["early_retries"] == 0


async def test_a_batch_of_our_own_goes_through_the_sdk_s_transport(
    adapter: GraphRequestAdapter, simulator, copies
):
    find = f"/users/{BOB}/messages?$filter=internetMessageId eq '<none@x>'&$select=id"
    body = {
        "requests": [
            move_step(1, ALICE, copies[0].immutable_id, "junkemail"),
            step(2, "GET", find),
            step(3, "GET", f"/users/{BOB}/messages/nonsense"),
        ]
    }
    request = RequestInformation(Method.POST, "{+baseurl}/$batch", {"baseurl": adapter.base_url})
    request.set_stream_content(json.dumps(body).encode(), "application/json")

    answer = await adapter.send_primitive_async(request, "bytes", {})

    found = {one["id"]: one for one in json.loads(answer)["responses"]}
    assert {key: one["status"] for key, one in found.items()} == {"1": 201, "2": 200, "3": 400}
    assert found["1"]["body"]["id"] == copies[0].immutable_id
    assert simulator.admin.copies(mailbox=ALICE)[0].folder == "junkemail"
