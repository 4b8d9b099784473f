"""`undeliver graph-simulator` in a process of its own, and the tester's hand in it."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.programs import Programs
from tests.e2e.waiting import until

Copy = dict[str, Any]


class Microsoft:
    """Mailboxes, as the simulator's admin API shows them."""

    def __init__(self, ready: dict[str, str]) -> None:
        trusted = ssl.create_default_context(cafile=ready["ca_file"])
        self._http = httpx.Client(base_url=ready["admin_url"], verify=trusted, timeout=60)
        #: What points the retractor here.
        self.settings = {
            "RETRACTOR_GRAPH_URL": ready["graph_url"],
            "RETRACTOR_AUTHORITY_URL": ready["authority_url"],
            "RETRACTOR_CA_FILE": ready["ca_file"],
        }

    def deliver(self, mime: bytes, sender: str, recipients: tuple[str, ...]) -> None:
        """Put a message into mailboxes."""
        self._post(
            "deliver",
            mime_base64=base64.b64encode(mime).decode("ascii"),
            sender=sender,
            recipients=recipients,
        )

    def forward(self, author: str, internet_message_id: str, *to: str) -> str:
        """Forward a message as its recipient does, and return the new Message-ID."""
        told = self._post("forward", author=author, internet_message_id=internet_message_id, to=to)
        return str(told["internet_message_id"])

    def copies(self, **wanted: str) -> list[Copy]:
        """Return every copy, or those of a `mailbox`, of an `internet_message_id`."""
        answer = self._http.get("state", params=wanted)
        copies: list[Copy] = answer.raise_for_status().json()["copies"]
        return copies

    def folders(self, internet_message_id: str) -> dict[str, str]:
        """Return where the copies of a message lie, by mailbox."""
        copies = self.copies(internet_message_id=internet_message_id)
        return {copy["mailbox"]: copy["folder"] for copy in copies}

    def _post(self, path: str, **body: Any) -> Any:
        answer = self._http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def close(self) -> None:
        self._http.close()


@contextmanager
def microsoft(programs: Programs, folder: Path, seed: Path) -> Iterator[Microsoft]:
    """Run the simulator while the context lasts."""
    ready = folder / "ready.json"
    ports = ("--port", "0", "--authority-port", "0")
    files = ("--ca-file", folder / "ca.pem", "--tenant-file", seed, "--ready-file", ready)
    program = programs.start("graph-simulator", *ports, *map(str, files))
    try:
        until(lambda: ready.exists() or program.code is not None, "the simulator to be ready")
        simulated = Microsoft(json.loads(ready.read_text(encoding="utf-8")))
        yield simulated
        simulated.close()
    finally:
        if program.code is None:
            program.terminate()
