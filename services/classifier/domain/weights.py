"""How much each reason counts. The one table behind every disposition.

*Harm* and *nuisance* are points that add up. A reason may also decide alone (`decides`), mean that
the sender is not who it says (`spoofs`), or only set a mark. Nothing that a sender can write takes
points away, unless who that is has been proved.
"""

from dataclasses import dataclass

from libs.common.contracts.mail import Disposition


@dataclass(frozen=True, slots=True)
class Weight:
    """What one reason counts."""

    harm: float = 0.0
    nuisance: float = 0.0
    #: The disposition that this reason forces by itself.
    decides: Disposition | None = None
    #: It says that the sender is somebody else.
    spoofs: bool = False
    #: It is more than words: a mail is malicious only with at least one such reason.
    is_solid: bool = False
    is_bulk: bool = False
    #: Ordinary advertising, which a proved mailing may do without being spam.
    is_advertising: bool = False
    attributes: tuple[str, ...] = ()


def _wording(harm: float = 0.0, nuisance: float = 0.0) -> Weight:
    return Weight(harm=harm, nuisance=nuisance)


def _advertising(harm: float = 0.0, nuisance: float = 0.0) -> Weight:
    return Weight(harm=harm, nuisance=nuisance, is_advertising=True)


_MALICIOUS = Disposition.MALICIOUS

WEIGHTS: dict[str, Weight] = {
    # The tenant's lists
    "sender_blocked": Weight(10, decides=_MALICIOUS, attributes=("custom_block_list",)),
    "sender_allowed": Weight(),
    "allowed_sender_unproved": Weight(),
    # Who sent it
    "microsoft_harmful": Weight(6, is_solid=True),
    "microsoft_spam": Weight(nuisance=4),
    "dmarc_failed_enforced": Weight(4, spoofs=True),
    "dmarc_failed": Weight(1.5),
    "compauth_failed": Weight(0.6),
    "author_without_domain": Weight(1.0, 1.3),
    "several_authors": Weight(0.6, 1.3),
    "signature_good": Weight(),
    "signature_broken": Weight(0.5),
    "own_domain_spoofed": Weight(4, spoofs=True, is_solid=True),
    "own_domain_foreign_sender": Weight(2.5, spoofs=True),
    "protected_person": Weight(4, spoofs=True, is_solid=True, attributes=("bec",)),
    "name_through_service": Weight(1.0),
    "name_relayed": Weight(1.0),
    "lookalike_domain": Weight(4, spoofs=True, is_solid=True),
    "similar_domain": Weight(1.8),
    "other_suffix": Weight(0.7),
    "own_address_as_name": Weight(4, spoofs=True, is_solid=True),
    "address_as_name": Weight(1.0),
    "brand_as_name": Weight(1.6, 1.2),
    "lure_in_a_brands_name": Weight(1.2),
    "offer_in_a_brands_name": Weight(0.3, 0.6),
    "reply_to_nothing": Weight(0.1, 0.4),
    "reply_to_elsewhere": Weight(0.2, 0.2),
    "reply_to_free_mail": Weight(0.7, 1.0),
    "reply_to_other_mailbox": Weight(0.5, 1.0),
    # What hangs on it
    "test_virus": Weight(10, decides=_MALICIOUS, attributes=("executable",)),
    "executable": Weight(8, decides=_MALICIOUS, attributes=("executable",)),
    "executable_disguised": Weight(8, decides=_MALICIOUS, attributes=("executable",)),
    "foreign_executable": Weight(3, is_solid=True, attributes=("executable",)),
    "disk_image": Weight(5, is_solid=True, attributes=("executable",)),
    "notebook": Weight(1),
    "notebook_with_file": Weight(4, is_solid=True),
    "executable_in_archive": Weight(3, is_solid=True, attributes=("executable",)),
    "executable_alone_in_archive": Weight(3, is_solid=True),
    "encrypted": Weight(0.5, attributes=("encrypted",)),
    "password_in_text": Weight(1.5, is_solid=True),
    "macro": Weight(1, attributes=("macro",)),
    "macro_autostart": Weight(3, is_solid=True, attributes=("macro",)),
    "macro_dropper": Weight(8, decides=_MALICIOUS, attributes=("macro",)),
    "remote_template": Weight(6, is_solid=True, attributes=("macro",)),
    "document_broken": Weight(),
    "html_attachment": Weight(0.7),
    "html_smuggling": Weight(7, is_solid=True),
    "html_attachment_password": Weight(6, is_solid=True),
    "html_attachment_obfuscated": Weight(4, is_solid=True),
    "html_attachment_redirect": Weight(3.5, is_solid=True),
    "svg_with_script": Weight(5.5, is_solid=True),
    # Reasons that mean more together
    "demand_through_service": Weight(3, spoofs=True, is_solid=True, attributes=("bec",)),
    "demand_in_relayed_name": Weight(3, spoofs=True, is_solid=True, attributes=("bec",)),
    "lure_with_deceptive_link": Weight(1.5, is_solid=True),
    "lure_with_loose_link": Weight(0.8),
    "lure_with_personal_link": Weight(0.8),
    "offer_with_loose_link": Weight(0.3, 1.0),
    "selling_from_hiding": Weight(0.2, 1.0),
    "offer_leading_elsewhere": Weight(0.1, 0.5),
    "lure_with_macro": Weight(4, is_solid=True),
    # Where it leads
    "active_link": Weight(3.5, is_solid=True),
    "link_with_user": Weight(2.5, is_solid=True),
    "link_to_ip": Weight(1.5, 1.2, is_solid=True),
    "confusable_link": Weight(2.5, is_solid=True),
    "own_domain_in_foreign_host": Weight(4, is_solid=True),
    "sender_domain_in_foreign_host": Weight(3, is_solid=True),
    "sender_name_in_foreign_host": Weight(0.8),
    "link_shortened": Weight(0.5, 0.6),
    "link_to_free_host": Weight(1.2, 1.0),
    "link_to_cheap_suffix": Weight(0.7, 0.8),
    "recipient_in_fragment": Weight(2, 0.5, is_solid=True),
    "recipient_in_query": Weight(0.3),
    "link_text_hides_bare_host": Weight(3.5, is_solid=True),
    "link_text_differs": Weight(1.2, is_solid=True),
    "password_form": Weight(4, is_solid=True),
    "form_to_elsewhere": Weight(0.5, 0.7),
    "all_links_elsewhere": Weight(0.1, 0.3),
    "picture_with_link": Weight(0.7, 1.2),
    "sender_cheap_suffix": Weight(0.7, 1.3),
    # How it is written
    "direction_override": Weight(2, is_solid=True),
    "mixed_scripts_in_headers": Weight(2, 1.5, is_solid=True),
    "mixed_scripts_in_text": Weight(1, 1.5),
    "styled_letters_in_headers": Weight(0.7, 1.5),
    "styled_letters_in_text": Weight(0.2, 0.5),
    "spaced_letters": Weight(0.3, 1.0),
    "padded_subject": Weight(0.3, 1.6),
    "random_words": Weight(0.6, 1.6),
    "sender_random_domain": Weight(0.5, 1.4),
    "hidden_text": Weight(0.2, 1.0),
    "unfilled_template": Weight(0.3, 1.3),
    "split_words": Weight(1, 1.5),
    "subject_in_capitals": Weight(nuisance=0.5),
    "subject_with_pictures": Weight(0.2, 0.5),
    "subject_shouts": Weight(nuisance=0.4),
    "large_sum": Weight(0.2, 0.7),
    "wording_credential_request": _wording(0.8),
    "wording_credential_request_many": _wording(1.2),
    "wording_credential_request_very_many": _wording(0.8),
    "wording_account_threat": _wording(0.6, 0.2),
    "wording_account_threat_many": _wording(1.0, 0.3),
    "wording_account_threat_very_many": _wording(0.7, 0.3),
    "wording_parcel_or_refund": _wording(0.4, 0.2),
    "wording_parcel_or_refund_many": _wording(0.7, 0.3),
    "wording_parcel_or_refund_very_many": _wording(0.5),
    "wording_payment_change": _wording(1.0),
    "wording_payment_change_many": _wording(1.0),
    "wording_payment_change_very_many": _wording(0.5),
    "wording_gift_card": _wording(1.2, 0.5),
    "wording_gift_card_many": _wording(1.5),
    "wording_gift_card_very_many": _wording(0.5),
    "wording_secret_errand": _wording(0.7),
    "wording_secret_errand_many": _wording(1.2),
    "wording_secret_errand_very_many": _wording(0.5),
    "wording_extortion": _wording(0.5, 0.3),
    "wording_extortion_many": _wording(1.8, 1.5),
    "wording_extortion_very_many": _wording(1.5, 1.0),
    "wording_court_or_police": _wording(0.7, 0.7),
    "wording_court_or_police_many": _wording(1.0, 1.0),
    "wording_court_or_police_very_many": _wording(0.5, 0.5),
    "wording_wallet": _wording(0.6, 0.5),
    "wording_wallet_many": _wording(1.0, 0.7),
    "wording_wallet_very_many": _wording(0.7, 0.5),
    "wording_advance_fee": _wording(0, 0.6),
    "wording_advance_fee_many": _wording(0.2, 1.3),
    "wording_advance_fee_very_many": _wording(0.4, 1.5),
    "wording_prize": _advertising(0.1, 1.0),
    "wording_prize_many": _advertising(0.3, 1.4),
    "wording_prize_very_many": _wording(0.2, 1.0),
    "wording_pills_and_bodies": _wording(0, 1.2),
    "wording_pills_and_bodies_many": _wording(0, 1.4),
    "wording_pills_and_bodies_very_many": _wording(0, 1.0),
    "wording_adult_and_dating": _wording(0, 0.9),
    "wording_adult_and_dating_many": _wording(0, 1.5),
    "wording_adult_and_dating_very_many": _wording(0, 1.0),
    "wording_gambling_and_riches": _wording(0, 0.9),
    "wording_gambling_and_riches_many": _wording(0, 1.3),
    "wording_gambling_and_riches_very_many": _wording(0, 1.0),
    "wording_unasked_for": _wording(0, 0.8),
    "wording_unasked_for_many": _wording(0, 1.2),
    "wording_unasked_for_very_many": _wording(0, 0.5),
    "wording_enable_content": _wording(0.5),
    "wording_enable_content_many": _wording(0.5),
    "wording_enable_content_very_many": _wording(),
    "wording_hard_sell": _advertising(0, 0.1),
    "wording_hard_sell_many": _advertising(0, 0.6),
    "wording_hard_sell_very_many": _advertising(0, 0.8),
    # Many recipients
    "mailing_list": Weight(is_bulk=True),
    "bulk_header": Weight(is_bulk=True),
    "proved_mailing": Weight(is_bulk=True),
    "opt_out_text": Weight(is_bulk=True),
    # Nothing to judge by
    "parse_failure": Weight(),
    "parse_failed": Weight(),
    "around_the_original": Weight(),
    "body_truncated": Weight(1, 1),
}
