"""Lures in languages other than English, beside everyday mail on the same matters."""

from dataclasses import replace

import pytest

from tests.classifier.letters import OURS, codes, letter, verdict

TRUSTED = replace(OURS, is_receiver_trusted=True)
STRANGER = "Support <info@canoes.example>"
SHOP = "Fabrikam <noreply@fabrikam.example>"
PROVED = (
    "Authentication-Results",
    (
        "spf=pass smtp.mailfrom=fabrikam.example; dkim=pass header.d=fabrikam.example;"
        "dmarc=pass action=none header.from=fabrikam.example;compauth=pass reason=100"
    ),
)


def page(text: str, target: str) -> str:
    return f'<p>{text}</p><a href="{target}">&gt;&gt;</a>'


@pytest.mark.parametrize(
    ("sender", "subject", "text", "target"),
    [
        (
            STRANGER,
            "Ihr Passwort läuft ab",
            (
                "Ihr Kennwort läuft heute ab. Bestätigen Sie Ihr Passwort, sonst wird Ihr Postfach"
                " deaktiviert."
            ),
            "https://portal.canoes.example/?user=carla@northwind.example",
        ),
        (
            STRANGER,
            "Postfach gesperrt",
            "Ihr Kennwort ist abgelaufen. Bestätigen Sie Ihr Postfach.",
            "https://mail.web.app/",
        ),
        (
            "Crédit Agricole <info@canoes.example>",
            "Compte suspendu",
            "Veuillez vérifier votre identité sous 24h, sinon votre accès sera bloqué.",
            "https://canoes.example/",
        ),
        (
            "Ameli <info@canoes.example>",
            "Votre remboursement",
            "Confirmez vos coordonnées bancaires sous 48h.",
            "https://canoes.example/",
        ),
        (
            "Correos <info@canoes.example>",
            "Su envío",
            "Su paquete está retenido en la aduana. Pague la tasa de 1,99 €.",
            "https://canoes.example/",
        ),
    ],
)
def test_a_lure_in_another_language_is_suspicious(sender, subject, text, target):
    raw = letter(html=page(text, target), sender=sender, subject=subject)

    assert verdict(raw).disposition == "suspicious"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (
            "Passwort zurücksetzen",
            (
                "Bitte bestätigen Sie Ihre E-Mail-Adresse und vergeben Sie innerhalb von 24 Stunden"
                " ein neues Passwort."
            ),
        ),
        ("Ihr Passwort ist abgelaufen", "Bitte ändern Sie es beim nächsten Anmelden."),
        ("Réinitialisation", "Vous avez demandé un mot de passe. Le lien expire sous 24h."),
        ("Facture", "Nos coordonnées bancaires figurent sur la facture."),
        ("Su pedido", "Su paquete ha pasado la aduana y llegará mañana."),
    ],
)
def test_everyday_mail_of_a_proved_sender_is_none(subject, text):
    target = "https://shop.fabrikam.example/?mail=carla@northwind.example"
    raw = letter(html=page(text, target), sender=SHOP, subject=subject, headers=(PROVED,))

    assert verdict(raw, TRUSTED).disposition == "none"
    assert "recipient_in_query" not in codes(raw, TRUSTED)


@pytest.mark.parametrize(
    ("target", "is_reason"),
    [
        ("https://canoes.example/?u=carla%40northwind.example", True),
        ("https://canoes.example/?u=Carla@Northwind.example#top", True),
        ("https://canoes.example/?u=ben@northwind.example", False),
        ("https://canoes.example/unsubscribe?u=carla@northwind.example", False),
        ("https://canoes.example/?abmelden=carla@northwind.example", False),
    ],
)
def test_the_recipient_in_a_query_is_a_reason_unless_it_leads_out(target, is_reason):
    raw = letter(html=page("Hi", target), sender=SHOP)

    assert ("recipient_in_query" in codes(raw)) is is_reason


def test_the_recipient_in_a_fragment_is_a_reason_beside_any_query():
    raw = letter(html=page("Hi", "https://canoes.example/?a=1#carla@northwind.example"))

    assert "recipient_in_fragment" in codes(raw)
