"""How an object store is written, and what is told whoever writes it wrongly."""

import pytest

from libs.common.blobs.object_address import ObjectAddress, object_address
from libs.common.blobs.opening import open_blobs
from libs.common.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://mail", ObjectAddress("s3", "mail")),
        ("s3://mail/", ObjectAddress("s3", "mail")),
        ("az://mail/some/pre.fix/", ObjectAddress("az", "mail", prefix="some/pre.fix")),
        (
            "s3://mail/eu?region=eu-central-1&endpoint=https%3A%2F%2Fminio%3A9000",
            ObjectAddress(
                "s3", "mail", prefix="eu", region="eu-central-1", endpoint="https://minio:9000"
            ),
        ),
        (
            "s3://mail?endpoint=https://store.example/&path_style=false",
            ObjectAddress("s3", "mail", endpoint="https://mail.store.example", is_path_style=False),
        ),
        (
            "az://mail?account=acmemail&endpoint=http://127.0.0.1:10000/acmemail&allow_http=true",
            ObjectAddress(
                "az",
                "mail",
                account="acmemail",
                endpoint="http://127.0.0.1:10000/acmemail",
                is_http_allowed=True,
            ),
        ),
    ],
)
def test_an_address_says_where_the_store_is(url, address):
    assert object_address(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "needs the name of a bucket"),
        ("az:///mail", "needs the name of a container"),
        ("s3://Mail_Store", "needs the name of a bucket"),
        ("s3://id:hunter2@mail", "no user or port"),
        ("s3://mail/../other", "prefix"),
        ("s3://mail/a//b", "prefix"),
        ("s3://mail/a%20b", "prefix"),
        ("s3://mail?aws_secret_access_key=hunter2", "credentials come from the environment"),
        ("az://mail?sig=hunter2", "credentials come from the environment"),
        ("az://mail?region=eu", "only account, allow_http, ca_file, endpoint"),
        ("s3://mail?hunter2", "name=value"),
        ("s3://mail#hunter2", "only"),
        ("s3://mail?region=a&region=b", "each once"),
        ("s3://mail?region=hunter2!", "`region`"),
        ("s3://mail?path_style=yes", "`path_style` is true or false"),
        ("s3://mail?endpoint=minio:9000", "`endpoint` is the URL of a server"),
        ("s3://mail?endpoint=https://", "`endpoint` is the URL of a server"),
        ("s3://mail?endpoint=https://id:hunter2@minio", "`endpoint` is the URL of a server"),
        ("s3://mail?endpoint=http://minio:9000", "in the clear; write https, or allow_http=true"),
        ("s3://mail?ca_file=/no/such/file", "`ca_file` /no/such/file: No such file"),
    ],
)
async def test_what_is_no_address_is_told_with_its_remedy_and_never_shown(url, words):
    with pytest.raises(ConfigurationError) as caught:
        async with open_blobs(url):
            pass

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("az://mail", "no account; add ?account=name"),
        ("az://mail?account=acme", "AZURE_STORAGE_ACCOUNT_KEY is no key"),
        ("s3://mail?ca_file={here}", "holds no certificate"),
    ],
)
async def test_what_the_client_cannot_begin_with_is_the_operators_mistake(
    url, words, credentials, tmp_path
):
    (tmp_path / "ca.pem").write_text("hunter2")
    credentials({"AZURE_STORAGE_ACCOUNT_KEY": "hunter2!"} if "account" in url else {})

    with pytest.raises(ConfigurationError) as caught:
        async with open_blobs(url.replace("{here}", str(tmp_path / "ca.pem"))):
            pass

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
