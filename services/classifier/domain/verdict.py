"""From reasons to a disposition: who wins, at how many points, and how sure that is."""

from dataclasses import dataclass
from math import exp

from libs.common.contracts.mail import Disposition
from services.classifier.domain.combinations import COMBINATIONS
from services.classifier.domain.reasons import Reason
from services.classifier.domain.weights import WEIGHTS, Weight

#: Rises with every change of evidence, weights or thresholds that may change a verdict.
RULES_VERSION = "2026.4"
MALICIOUS_HARM = 5.0
SUSPICIOUS_HARM = 2.6
SPOOF_HARM = 2.5
SPAM_NUISANCE = 2.2
#: What a proved mailing may have beside advertising: clicks that are counted elsewhere, and such.
MAILING_NUISANCE = 0.9
#: Points at which the score is 1 - 1/e.
SCORE_SCALE = 4.0
MALICIOUS_SCORE = 0.9
_GRAVEST_FIRST = (
    Disposition.MALICIOUS,
    Disposition.SPOOF,
    Disposition.SUSPICIOUS,
    Disposition.SPAM,
    Disposition.BULK,
    Disposition.NONE,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a message is, with the reasons, strongest first."""

    disposition: Disposition
    score: float
    retractable: bool
    attributes: tuple[str, ...]
    reasons: tuple[Reason, ...]


def decide(reasons: tuple[Reason, ...], *, failure: str | None = None) -> Verdict:
    """Weigh the reasons. The same reasons always give the same verdict, in whatever order.

    malicious: a reason that decides alone, or much harm with something solid in it, the false
    sender aside · spoof: the sender is not who it says ·
    suspicious: harm, but not enough of it · spam: a nuisance · bulk: marks of a mailing ·
    none: the rest. A sender who is allowed and proved is spared all but malicious, and a mailing
    of a proved sender may advertise without being spam.
    """
    reasons = (*reasons, *_together(reasons))
    weights = [WEIGHTS[reason.code] for reason in reasons]
    harm = sum(weight.harm for weight in weights)
    nuisance = sum(weight.nuisance for weight in weights)
    is_mailing = any(reason.code == "proved_mailing" for reason in reasons)
    spam = _beside_advertising(weights) if is_mailing else nuisance
    disposition = _disposition(weights, harm, spam)
    is_unread = failure is not None and disposition is not Disposition.MALICIOUS
    if is_unread:
        disposition = Disposition.SUSPICIOUS
    elif _is_allowed(reasons) and disposition is not Disposition.MALICIOUS:
        disposition = Disposition.NONE
    score = 1 - exp(-(harm + 0.7 * nuisance) / SCORE_SCALE)
    if disposition is Disposition.MALICIOUS:
        score = max(score, MALICIOUS_SCORE)
    elif is_unread:  # what nobody could read is no better than what is just suspicious
        score = max(score, 1 - exp(-SUSPICIOUS_HARM / SCORE_SCALE))
    return Verdict(
        disposition=disposition,
        score=round(score, 4),
        retractable=not is_unread,
        attributes=_attributes(weights),
        reasons=tuple(sorted(reasons, key=_strength, reverse=True)),
    )


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the graver verdict on one message; between equals the one that can be acted on."""
    return max(one, other, key=_gravity)


def _gravity(verdict: Verdict) -> tuple[int, bool, float]:
    return (-_GRAVEST_FIRST.index(verdict.disposition), verdict.retractable, verdict.score)


def _disposition(weights: list[Weight], harm: float, nuisance: float) -> Disposition:
    for weight in weights:
        if weight.decides is not None:
            return weight.decides
    is_solid = any(weight.is_solid for weight in weights if not weight.spoofs)
    beyond_spoof = sum(weight.harm for weight in weights if not weight.spoofs)
    if beyond_spoof >= MALICIOUS_HARM and is_solid:
        return Disposition.MALICIOUS
    if any(weight.spoofs for weight in weights) and harm >= SPOOF_HARM:
        return Disposition.SPOOF
    if harm >= SUSPICIOUS_HARM:
        return Disposition.SUSPICIOUS
    if nuisance >= SPAM_NUISANCE:
        return Disposition.SPAM
    is_bulk = any(weight.is_bulk for weight in weights)
    return Disposition.BULK if is_bulk else Disposition.NONE


def _beside_advertising(weights: list[Weight]) -> float:
    """Return the nuisance of a proved mailing: nothing, unless it does more than advertise."""
    other = sum(weight.nuisance for weight in weights if not weight.is_advertising)
    return sum(weight.nuisance for weight in weights) if other > MAILING_NUISANCE else 0.0


def _together(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    codes = {reason.code for reason in reasons}
    return tuple(
        Reason(both.code, both.detail)
        for both in COMBINATIONS
        if codes & both.one_of and codes & both.and_one_of
    )


def _is_allowed(reasons: tuple[Reason, ...]) -> bool:
    return any(reason.code == "sender_allowed" for reason in reasons)


def _attributes(weights: list[Weight]) -> tuple[str, ...]:
    return tuple(sorted({name for weight in weights for name in weight.attributes}))


def _strength(reason: Reason) -> float:
    weight = WEIGHTS[reason.code]
    return weight.harm + weight.nuisance + 10 * (weight.decides is not None)
