"""Reasons that mean more together than apart. What they count stands with the others' weights."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Combination:
    """One reason of each set makes a further one."""

    code: str
    detail: str
    one_of: frozenset[str]
    and_one_of: frozenset[str]


_LURES = frozenset(
    f"wording_{group}"
    for group in ("credential_request", "account_threat", "parcel_or_refund", "wallet",
                  "court_or_police", "payment_change")
)  # fmt: skip

_OFFERS = (
    "prize",
    "pills_and_bodies",
    "adult_and_dating",
    "gambling_and_riches",
    "wallet",
)
_LOOSE = (
    "link_to_free_host",
    "link_shortened",
    "link_to_cheap_suffix",
    "picture_with_link",
    "sender_name_in_foreign_host",
)

COMBINATIONS = (
    Combination(
        "lure_with_deceptive_link",
        "it asks or threatens, and its links are not what they seem",
        _LURES,
        frozenset(
            (
                "link_to_ip",
                "link_text_hides_bare_host",
                "link_text_differs",
                "link_with_user",
                "sender_domain_in_foreign_host",
                "confusable_link",
                "recipient_in_fragment",
                "active_link",
                "password_form",
            )
        ),
    ),
    Combination(
        "demand_through_service",
        "it wants money in the name of somebody who is known here",
        frozenset(("name_through_service",)),
        frozenset(("wording_payment_change", "wording_gift_card", "wording_secret_errand_many")),
    ),
    Combination(
        "demand_in_relayed_name",
        "it asks for what swindlers want, in the name of somebody who is known here",
        frozenset(("name_relayed",)),
        frozenset(
            (
                "wording_credential_request",
                "wording_payment_change",
                "wording_gift_card",
                "wording_secret_errand",
            )
        ),
    ),
    Combination(
        "lure_in_a_brands_name",
        "it asks or threatens in the name of somebody else",
        _LURES,
        frozenset(("brand_as_name",)),
    ),
    Combination(
        "offer_in_a_brands_name",
        "it promises in the name of somebody else",
        frozenset(f"wording_{group}" for group in _OFFERS),
        frozenset(("brand_as_name",)),
    ),
    Combination(
        "selling_from_hiding",
        "it sells, and does much to stay unknown",
        frozenset(f"wording_{group}" for group in (*_OFFERS, "hard_sell", "unasked_for")),
        frozenset(
            (
                "link_to_ip",
                "padded_subject",
                "random_words",
                "sender_random_domain",
            )
        ),
    ),
    Combination(
        "lure_with_macro",
        "it wants the reader to let the macros run",
        frozenset(("wording_enable_content",)),
        frozenset(("macro",)),
    ),
    Combination(
        "offer_with_loose_link",
        "it promises, and leads away from its sender",
        frozenset(f"wording_{group}" for group in _OFFERS),
        frozenset(_LOOSE),
    ),
    Combination(
        "offer_leading_elsewhere",
        "it promises, and no link leads to its sender",
        frozenset(f"wording_{group}" for group in _OFFERS),
        frozenset(("all_links_elsewhere",)),
    ),
    Combination(
        "lure_with_loose_link",
        "it asks or threatens, and leads to a place that is open to everybody",
        _LURES,
        frozenset(_LOOSE),
    ),
    Combination(
        "lure_with_personal_link",
        "it asks or threatens, and its link knows the recipient",
        frozenset(("wording_credential_request", "wording_account_threat")),
        frozenset(("recipient_in_query",)),
    ),
)
