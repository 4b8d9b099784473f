"""What obstore raises, and what it means to us.

Its texts quote URLs, which may carry a signature, and answers of the server: of these only the
status and the store's own error code are kept.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from libs.common.blobs.object_address import ObjectAddress
from libs.common.errors import StartError, TransientError

_STATUS = re.compile(r"status code: (\d{3})\b", re.ASCII)
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>", re.ASCII)
#: Of the programmers' part: constant words that say how a connection failed.
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*([A-Za-z]{1,40})", re.ASCII)
_FAILED = re.compile(
    r"kind: (Connection[A-Z][a-z]+|TimedOut|[A-Z][a-z]+Unreachable|UnexpectedEof|BrokenPipe)"
    r"|(dns error)",
    re.ASCII,
)
#: obstore shows the error for people first, then once more for programmers.
_DEBUG = "\n\nDebug source:"
#: Where credentials come from: AWS's instance metadata, Azure's identity endpoints.
_NO_CREDENTIALS = ("/latest/api/token", "/latest/meta-data/", "token request")
#: What obstore says of settings it cannot begin with. Never quoted: the rest may quote a secret.
_UNUSABLE = {
    "Account must be specified": "no account; add ?account=name, or set AZURE_STORAGE_ACCOUNT_NAME",
    "Missing SecretAccessKey": "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not",
    "Missing AccessKeyId": "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not",
    "Invalid Access Key": "AZURE_STORAGE_ACCOUNT_KEY is no key of an account",
    "No certificates found": "`ca_file` holds no certificate in PEM",
}

_FULL = frozenset({"507"})
_MAY_PASS = frozenset({"408", "429"})


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors for a store that does not do its part.

    Raises:
        TransientError: `blob_store_unavailable`, `blob_store_full`.
    """
    try:
        yield
    except TimeoutError:
        raise TransientError("blob_store_unavailable", "timed out") from None
    except (BaseError, OSError) as error:
        # `from None`: the cause may quote a signed URL, and a traceback would be logged.
        raise TransientError(_reason(error), summary(error)) from None


def raise_if_hopeless(error: Exception, address: ObjectAddress) -> None:
    """Stop a start over what will not change by itself; return over what may.

    Raises:
        StartError: one sentence with what to do.
    """
    status = _status(error)
    if any(sign in _told(error) for sign in _NO_CREDENTIALS):
        what = (
            "no credentials; set the store's usual variables (AWS_ACCESS_KEY_ID, "
            "AZURE_STORAGE_ACCOUNT_KEY …), or run where a role is given"
        )
    elif (distrust := _CERTIFICATE.search(str(error))) is not None:
        what = (
            f"the server's certificate is not trusted ({distrust[1]}); with an authority of your "
            "own, write ca_file=/path/of/its/certificate.pem behind the `?`"
        )
    elif status == "404":
        what = f"there is no such {address.called}; make it first"
    elif status in {"401", "403"}:
        what = (
            f"access refused ({summary(error)}); these credentials must be allowed to list and "
            "read, and for ingest to write and delete as well"
        )
    elif status is not None and status < "500" and status not in _MAY_PASS:
        what = f"not understood ({summary(error)}); look at `endpoint` and `region`"
    else:
        return
    raise StartError(f"{address}: {what}") from None


def unusable(error: Exception) -> str:
    """Return what is wrong with the settings of a store that cannot be opened with them."""
    for sign, what in _UNUSABLE.items():
        if sign in _told(error):
            return what
    return "cannot be opened; look at the store's variables in the environment"


def summary(error: Exception) -> str:
    """Return what may be logged: status and code, or how the connection failed."""
    code = _CODE.search(_told(error))
    known = [_status(error), code[1] if code else None]
    failed = _FAILED.search(str(error))
    return " ".join(filter(None, known)) or (failed[1] or failed[2] if failed else "no answer")


def _reason(error: Exception) -> str:
    return "blob_store_full" if _status(error) in _FULL else "blob_store_unavailable"


def _status(error: Exception) -> str | None:
    match = _STATUS.search(_told(error))
    return match[1] if match else None


def _told(error: Exception) -> str:
    return str(error).partition(_DEBUG)[0]
