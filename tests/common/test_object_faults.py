"""Object stores on their bad days: nothing is half, nothing waits for ever, nothing is missing."""

import asyncio
import base64
import time
from hashlib import sha256

import pytest
import pytest_asyncio

from libs.common.blobs import object_opening, object_store
from libs.common.blobs.opening import open_blobs
from libs.common.errors import PermanentError, StartError, TransientError
from libs.graph_simulator.certificates import new_identity
from tests.common.scripted_store import CLOSE, HALF, HANG, ScriptedStore
from tests.contracts.blobs import CONTENT, key_of, listed

KEY = key_of(CONTENT)


@pytest_asyncio.fixture
async def store(credentials):
    credentials({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "NO_PROXY": "*"})
    async with ScriptedStore().serving() as store:
        yield store


@pytest_asyncio.fixture
async def blobs(store):
    async with open_blobs(store.url()) as blobs:
        yield blobs


async def reason_of(attempt):
    with pytest.raises(TransientError) as caught:
        await attempt
    assert "secret" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("hiccup", [500, 503, CLOSE])
async def test_what_passes_at_once_nobody_hears_of(store, blobs, hiccup):
    store.answers["PUT"] = [hiccup, hiccup, 200]

    await blobs.put(KEY, CONTENT)

    assert store.verbs("PUT") == 3


@pytest.mark.parametrize("failure", [500, 503, 403, 400, CLOSE])
async def test_a_store_that_fails_is_unavailable_and_asked_a_few_times_at_most(
    store, blobs, failure
):
    store.answers = {verb: [failure] for verb in ("PUT", "GET", "DELETE", "LIST", "HEAD")}

    for attempt in (
        blobs.put(KEY, CONTENT),
        blobs.get(KEY),
        blobs.get(KEY, offset=1, size_bytes=2),
        blobs.delete(KEY),
        blobs.check(),
        blobs.days(),
        listed(blobs, "acme/2026/01/05"),
    ):
        assert await reason_of(attempt) == "blob_store_unavailable"
    assert store.verbs("PUT") <= 3


async def test_a_store_without_room_is_full(store, blobs):
    store.answers["PUT"] = [507]

    assert await reason_of(blobs.put(KEY, CONTENT)) == "blob_store_full"
    assert await reason_of(blobs.check()) == "blob_store_full"


async def test_a_store_that_never_answers_is_given_up_on_in_time(store, blobs, monkeypatch):
    for limit in ("_PUT_SECONDS", "_GET_SECONDS", "_DELETE_SECONDS", "_PAGE_SECONDS"):
        monkeypatch.setattr(object_store, limit, 0.3)
    monkeypatch.setattr(object_store, "_CHECK_SECONDS", 0.3)
    store.answers = {verb: [HANG] for verb in ("PUT", "GET", "DELETE", "LIST")}

    began = time.monotonic()
    for attempt in (
        blobs.put(KEY, CONTENT),
        blobs.get(KEY),
        blobs.delete(KEY),
        blobs.check(),
        blobs.days(),
        listed(blobs, "acme/2026/01/05"),
    ):
        assert await reason_of(attempt) == "blob_store_unavailable"
    assert time.monotonic() - began < 6 * 0.3 + 3


async def test_readiness_is_said_within_its_two_seconds(store, blobs):
    store.answers["LIST"] = [HANG]

    began = time.monotonic()
    assert await reason_of(blobs.check()) == "blob_store_unavailable"
    assert time.monotonic() - began < 2


async def test_mail_that_arrives_by_halves_is_not_taken_for_the_whole(store, blobs):
    store.answers["GET"] = [HALF]

    assert await reason_of(blobs.get(KEY)) == "blob_store_unavailable"


async def test_a_store_that_cannot_be_written_is_not_ready_until_it_can(store, blobs):
    await blobs.check()
    store.answers["PUT"] = [403]
    assert await reason_of(blobs.put(KEY, CONTENT)) == "blob_store_unavailable"
    assert await reason_of(blobs.check()) == "blob_store_unavailable"

    store.answers["PUT"] = [200]
    await blobs.check()
    written = store.verbs("PUT")
    await blobs.check()

    assert store.verbs("PUT") == written  # without a doubt nothing is written


async def test_a_shutdown_waits_for_no_put_that_hangs(store, blobs):
    store.answers["PUT"] = [HANG]
    store.asked.clear()
    putting = asyncio.ensure_future(blobs.put(KEY, CONTENT))
    async with asyncio.timeout(5):
        await store.asked.wait()

    began = time.monotonic()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert time.monotonic() - began < 1


async def test_no_more_are_under_way_than_there_are_turns(store, credentials, monkeypatch):
    monkeypatch.setattr(object_store, "_WRITERS", 3)
    contents = [str(number).encode() for number in range(30)]
    async with open_blobs(store.url()) as blobs, asyncio.TaskGroup() as group:
        for content in contents:
            group.create_task(blobs.put(key_of(content), content))

    assert store.verbs("PUT") == 30
    assert store.most_at_once <= 3


async def test_the_store_is_told_what_must_arrive(store, blobs):
    await blobs.put(KEY, CONTENT)

    (headers,) = [headers for verb, headers in store.requests if verb == "PUT"]
    told = base64.b64encode(sha256(CONTENT).digest()).decode().lower()
    assert headers["x-amz-checksum-sha256"] == told


async def test_a_missing_blob_is_missing_only_where_the_bucket_answers(store, blobs):
    store.answers["GET"] = [404]
    with pytest.raises(PermanentError, match="blob_missing"):
        await blobs.get(KEY)

    store.answers["LIST"] = [404]
    assert await reason_of(blobs.get(KEY)) == "blob_store_unavailable"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "no such bucket"),
        (401, "access refused"),
        (403, "access refused .403 Scripted.; .* list and read"),
        (400, "not understood .400 Scripted.; look at `endpoint` and `region`"),
    ],
)
async def test_what_stays_wrong_stops_the_start_with_one_sentence(store, status, words):
    store.answers["LIST"] = [status]

    with pytest.raises(StartError, match=f"^s3://mail/prefix: .*{words}"):
        async with open_blobs(store.url()):
            pass


@pytest.mark.parametrize("failure", [503, 429, CLOSE, HANG])
async def test_what_may_pass_lets_the_start_come_again(store, failure, monkeypatch):
    monkeypatch.setattr(object_opening, "_FIRST_ANSWER_SECONDS", 1.0)
    store.answers["LIST"] = [failure]
    with pytest.raises(TransientError, match="blob_store_unavailable"):
        async with open_blobs(store.url()):
            pass

    store.answers["LIST"] = [200]
    async with open_blobs(store.url()) as blobs:
        await blobs.check()


async def test_without_credentials_the_start_says_where_they_come_from(store, credentials):
    credentials({"AWS_METADATA_ENDPOINT": "http://127.0.0.1:9"})

    with pytest.raises(StartError, match="no credentials; set the store's usual variables"):
        async with open_blobs(store.url()):
            pass


async def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(
    credentials, tmp_path
):
    identity = new_identity()
    (tmp_path / "ca.pem").write_bytes(identity.ca_pem)
    credentials({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "NO_PROXY": "*"})
    async with ScriptedStore(tls=identity.server_context()).serving() as store:
        async with open_blobs(store.url(f"&ca_file={tmp_path}/ca.pem")) as blobs:
            await blobs.put(KEY, CONTENT)
        with pytest.raises(StartError, match=r"not trusted .UnknownIssuer.; .* write ca_file="):
            async with open_blobs(store.url()):
                pass


async def test_the_log_says_how_a_connection_failed(store, blobs):
    store.answers["PUT"] = [CLOSE]
    with pytest.raises(TransientError) as closed:
        await blobs.put(KEY, CONTENT)
    store.answers["PUT"] = [503]
    with pytest.raises(TransientError) as busy:
        await blobs.put(KEY, CONTENT)

    assert closed.value.detail in {"no answer", "ConnectionReset", "UnexpectedEof"}
    assert busy.value.detail == "503 Scripted"
