"""How a verdict came about, in lines for people."""

from collections.abc import Iterator

from services.classifier.domain import verdict as rules
from services.classifier.domain.verdict import Verdict
from services.classifier.domain.weights import WEIGHTS


def lines(verdict: Verdict) -> Iterator[str]:
    """Yield the verdict, then each reason with what it counts, strongest first."""
    retractable = "" if verdict.retractable else "; never retracted by itself"
    yield f"{verdict.disposition.value}, score {verdict.score:.2f}{retractable}"
    if verdict.attributes:
        yield f"attributes: {', '.join(verdict.attributes)}"
    for reason in verdict.reasons:
        weight = WEIGHTS[reason.code]
        counts = [f"harm {weight.harm:g}"] * (weight.harm > 0)
        counts += [f"nuisance {weight.nuisance:g}"] * (weight.nuisance > 0)
        counts += ["decides"] * (weight.decides is not None) + ["false sender"] * weight.spoofs
        counts += ["bulk"] * weight.is_bulk
        yield f"  {reason.code} ({', '.join(counts) or 'counts nothing'}): {reason.detail}"
    harm = sum(WEIGHTS[reason.code].harm for reason in verdict.reasons)
    nuisance = sum(WEIGHTS[reason.code].nuisance for reason in verdict.reasons)
    yield (
        f"harm {harm:.1f} (suspicious from {rules.SUSPICIOUS_HARM:g}, malicious from "
        f"{rules.MALICIOUS_HARM:g}), nuisance {nuisance:.1f} (spam from {rules.SPAM_NUISANCE:g})"
    )
