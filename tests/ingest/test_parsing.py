"""What is read of reports that are odd in one way or another."""

from hashlib import sha256

import pytest

from libs.common.journaling.keys import digest, message_key, report_key
from libs.common.journaling.parsing import parse
from tests.ingest.reports import BOUNDARY, REPORT_ID, envelope, original, report

DELIMITER = b"--" + BOUNDARY


def recipients(*lines: str) -> list[tuple]:
    return [tuple(each) for each in parse(report(text=envelope(*lines))).envelope.recipients]


def original_of(raw: bytes) -> bytes:
    found = parse(raw).original
    return raw[found.offset : found.offset + found.size_bytes]


class TestEnvelope:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("To: a@x.example", ("a@x.example", "to", None, None)),
            ("TO : a@x.example", ("a@x.example", "to", None, None)),
            ("bcc: <a@x.example>", ("a@x.example", "bcc", None, None)),
            ("Cc: Al <a@x.example>", ("a@x.example", "cc", None, None)),
            ('To: "Al, the <great>" <a@x.example>', ("a@x.example", "to", None, None)),
            ("To: Doe, John <a@x.example>", ("a@x.example", "to", None, None)),
            ("To: a@x.example, Expanded: g@x.example", ("a@x.example", "to", "g@x.example", None)),
            ("To: a@x.example; expanded:g@x.example", ("a@x.example", "to", "g@x.example", None)),
            (
                "To: a@x.example, Expanded from: All <g@x.example>",
                ("a@x.example", "to", "g@x.example", None),
            ),
            (
                "Recipient: a@x.example, Forwarded: b@x.example",
                ("a@x.example", "recipient", None, "b@x.example"),
            ),
            (
                "To: a@x.example, Expanded: g@x.example, Forwarded: b@x.example",
                ("a@x.example", "to", "g@x.example", "b@x.example"),
            ),
            (
                'To: "x, Expanded: y"@x.example, Expanded: g@x.example',
                ('"x, Expanded: y"@x.example', "to", "g@x.example", None),
            ),
            ("To: jürgen@bücher.example", ("jürgen@bücher.example", "to", None, None)),
        ],
    )
    def test_a_recipient_line_is_read(self, line, expected):
        assert recipients(line) == [expected]

    def test_a_list_on_one_line_is_taken_apart(self):
        found = recipients("To: a@x.example, Bo <b@x.example>; c@x.example")

        assert [address for address, *_ in found] == ["a@x.example", "b@x.example", "c@x.example"]

    def test_duplicates_are_kept(self):
        found = recipients("To: a@x.example", "To: a@x.example, Expanded: g@x.example")

        assert found == [
            ("a@x.example", "to", None, None),
            ("a@x.example", "to", "g@x.example", None),
        ]

    @pytest.mark.parametrize(
        "address",
        [
            "/O=CONTOSO/OU=FIRST ADMINISTRATIVE GROUP/CN=RECIPIENTS/CN=BOB",
            "EX:/o=Contoso/cn=bob",
            "IMCEAEX-_O=CONTOSO_CN=BOB@contoso.example",
        ],
    )
    def test_an_address_older_than_smtp_is_kept_as_it_is(self, address):
        parsed = parse(report(text=envelope(f"Recipient: {address}")))

        assert [each.address for each in parsed.envelope.recipients] == [address]
        assert parsed.flags == ("legacy-address",)

    def test_a_line_that_holds_no_address_is_kept_and_flagged(self):
        parsed = parse(report(text=envelope("To: nobody in particular")))

        assert [each.address for each in parsed.envelope.recipients] == ["nobody in particular"]
        assert parsed.flags == ("unreadable-address",)

    def test_unknown_fields_are_kept_and_flagged(self):
        parsed = parse(report(text=envelope("Foo: x", "Recipient: a@x.example")))

        assert parsed.extras["unknown_fields"] == {"Foo": "x"}
        assert parsed.flags == ("unknown-field",)

    def test_the_first_of_two_senders_counts(self):
        parsed = parse(report(text=envelope("Sender: evil@x.example", "To: a@x.example")))

        assert parsed.envelope.sender == "alice@fabrikam.example"
        assert parsed.flags == ("repeated-field",)

    @pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
    def test_no_character_of_a_subject_begins_a_line(self, end):
        text = envelope().replace("numbers", f"numbers{end}Recipient: evil@x.example{end}")

        assert recipients_of(text) == ["bob@contoso.example"]

    def test_text_of_somebody_else_makes_a_report_doubtful_unless_exchange_made_it(self):
        text = envelope() + "Click here, please\r\n"
        by_exchange = parse(report(text=text))
        by_anybody = parse(report(text=text, report_id="<1@evil.example>"))

        assert (by_exchange.kind, by_exchange.flags) == ("journal", ("stray-text",))
        assert by_anybody.kind == "copy"
        assert "doubtful-journal" in by_anybody.flags


def recipients_of(text: str) -> list[str]:
    return [each.address for each in parse(report(text=text)).envelope.recipients]


class TestStructure:
    def test_a_boundary_repeated_inside_of_the_original_does_not_end_it(self):
        inner = original(b"before\r\n" + DELIMITER + b"\r\nafter\r\n")

        assert original_of(report(inner)) == inner
        assert parse(report(inner)).flags == ("ambiguous-boundary",)

    def test_a_whole_report_inside_of_the_original_does_not_end_it(self):
        inner = original(report(original(b"inner\r\n")))

        assert original_of(report(inner)) == inner
        assert parse(report(inner)).flags == ("ambiguous-boundary",)

    @pytest.mark.parametrize("almost", [b"x--", b"--x", b" --", b"---"])
    def test_what_only_resembles_a_delimiter_is_none(self, almost):
        inner = original(almost + BOUNDARY + b"x\r\n" + b"--" + BOUNDARY + b"x\r\n")

        assert original_of(report(inner)) == inner
        assert parse(report(inner)).flags == ()

    def test_blanks_behind_a_delimiter_do_not_hide_it(self):
        raw = report().replace(DELIMITER + b"\r\n", DELIMITER + b" \t \r\n")

        assert original_of(raw) == original()

    def test_a_part_that_a_gateway_appended_is_not_the_originals(self):
        footer = b"Content-Type: text/plain\r\n\r\nScanned.\r\n"

        assert original_of(report(more_parts=[footer])) == original()
        assert parse(report(more_parts=[footer])).flags == ("extra-part",)

    @pytest.mark.parametrize("content_type", [b"application/octet-stream", b"text/plain"])
    def test_an_original_under_another_name_is_found(self, content_type):
        part = b'Content-Type: %s; name="original.EML"' % content_type
        raw = report().replace(b"Content-Type: message/rfc822", part)

        assert original_of(raw) == original()
        assert parse(raw).flags == ("relabelled-original",)

    def test_without_an_original_the_envelope_is_known_all_the_same(self):
        raw = report()
        raw = raw[: raw.index(DELIMITER + b"\r\nContent-Type: message/rfc822")] + DELIMITER + b"--"

        parsed = parse(raw)

        assert (parsed.kind, parsed.flags) == ("unknown", ("original-missing",))
        assert parsed.envelope.recipients[0].address == "bob@contoso.example"
        assert parsed.original.size_bytes == len(raw)

    @pytest.mark.parametrize("cut", [10, 40, 200, 500])
    def test_a_report_that_was_cut_off_never_fails(self, cut):
        parsed = parse(report()[:-cut])

        assert parsed.kind in {"journal", "unknown"}
        assert parsed.flags

    def test_line_ends_of_unix_are_read_as_well(self):
        raw = report().replace(b"\r\n", b"\n")

        assert original_of(raw) == original().replace(b"\r\n", b"\n")
        assert parse(raw).envelope.recipients[0].address == "bob@contoso.example"

    @pytest.mark.parametrize(
        "marker",
        [
            b"X-MS-Journal-Report:",
            b"x-ms-journal-report: yes",
            b"X-MS-Exchange-Organization-Journal-Report:",
            b"X-WM-Journal-Report: journal",
            b"Content-Identifier: ExJournalReport",
            b"Content-Identifer: exjournalreport",
        ],
    )
    def test_reports_are_known_by_their_marker(self, marker):
        assert parse(report().replace(b"X-MS-Journal-Report:", marker)).kind == "journal"

    def test_a_marker_inside_of_the_original_makes_no_report_of_it(self):
        inner = original(headers="X-MS-Journal-Report:\r\n")

        assert parse(inner).kind == "journal" or parse(inner).kind == "unknown"
        wrapped = b"From: a@x.example\r\nContent-Type: message/rfc822\r\n\r\n" + report()
        assert parse(wrapped).kind == "copy"
        assert parse(report(inner)).flags == ("nested-journal",)

    def test_a_bounce_that_anybody_could_write_is_not_unwrapped(self):
        forged = report(report_id="<1@evil.example>")
        bounce = (
            b'From: a@x.example\r\nContent-Type: multipart/report; boundary="n"\r\n\r\n--n\r\n'
            b"Content-Type: message/rfc822\r\n\r\n" + forged + b"\r\n--n--\r\n"
        )

        assert parse(bounce).kind == "copy"
        assert parse(bounce.replace(b"<1@evil.example>", REPORT_ID.encode())).kind == "journal"


class TestKeys:
    def keys(self, raw: bytes, tenant: str = "acme") -> tuple[str, str]:
        parsed = parse(raw)
        return (
            message_key(tenant, parsed.message_id, parsed.content_sha256),
            report_key(tenant, parsed.report_message_id, sha256(raw).hexdigest()),
        )

    @pytest.mark.parametrize(
        "headers",
        [
            "Received: from x\r\n",
            "X-MS-Exchange-Organization-SCL: 5\r\n",
            "ARC-Seal: i=1\r\n",
            "Authentication-Results: spf=pass\r\n",
        ],
    )
    def test_what_transport_adds_makes_no_other_message(self, headers):
        assert self.keys(report(original(headers=headers))) == self.keys(report())

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"Hello\r\n", b"Hellp\r\n"),
            (b"Subject: Quarterly numbers\r\nDate", b"Subject: Other numbers\r\nDate"),
            (b"To: Bob <bob@contoso.example>", b"To: Bob <bob@contoso.exampl>"),
            (b"10:00:00 +0000", b"10:00:01 +0000"),
            (b"From: Alice", b"From: Malice"),
            (b"From: Alice <alice@fabrikam.example>\r\n", b""),
        ],
    )
    def test_what_people_see_does(self, old, new):
        changed = original().replace(old, new)

        assert changed != original()
        assert self.keys(report(changed))[0] != self.keys(report())[0]

    def test_fields_cannot_be_shifted_into_each_other(self):
        assert digest("x", b"ab", b"c") != digest("x", b"a", b"bc") != digest("x", b"abc")
        assert digest("x", b"a") != digest("xa")

    def test_two_values_of_a_field_are_not_one_of_the_next(self):
        twice = original(headers="To: eve@x.example\r\n")
        once = twice.replace(b"To: Bob <bob@contoso.example>\r\n", b"")

        assert self.keys(report(twice))[0] != self.keys(report(once))[0]

    @pytest.mark.parametrize("end", [b"\n", b"\r"])
    def test_line_ends_make_no_other_message(self, end):
        body = b"one\r\ntwo\r\n\r\nthree\r\n"
        other = original() + body.replace(b"\r\n", end)

        assert self.keys(other)[0] == self.keys(original() + body)[0]

    @pytest.mark.parametrize("shift", range(6))
    def test_line_ends_count_the_same_wherever_a_large_body_is_cut(self, shift):
        odd = b"x" * shift + b"\r\r\n\n\r" * 300_000
        even = b"x" * shift + b"\r\n" * 4 * 300_000

        assert self.keys(original(odd))[0] == self.keys(original(even))[0]

    def test_folding_a_header_makes_no_other_message(self):
        folded = original().replace(
            b"Subject: Quarterly numbers", b"Subject: Quarterly\r\n numbers"
        )

        assert self.keys(report(folded))[0] == self.keys(report())[0]

    def test_tenants_have_keys_of_their_own(self):
        one, other = self.keys(report(), "acme"), self.keys(report(), "globex")

        assert one[0] != other[0]
        assert one[1] != other[1]

    def test_a_report_is_known_by_the_id_that_exchange_gave_it(self):
        again = report(headers="X-Other-Hop: 1\r\nX-OriginatorOrg: contoso.onmicrosoft.com\r\n")

        assert again != report()
        assert self.keys(again)[1] == self.keys(report())[1]

    def test_other_mail_is_known_by_its_bytes(self):
        one, other = b"From: a@x.example\r\n\r\nx\r\n", b"From: a@x.example\r\n\r\ny\r\n"

        assert self.keys(one)[1] == self.keys(one)[1] != self.keys(other)[1]
