"""Judges in this process. Twin of `EvaluationPool`."""

from services.classifier.domain import evaluation
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.files import judge_file
from services.classifier.domain.verdict import Verdict


class FakeEvaluator:
    """See `Evaluator`. `judged` counts."""

    def __init__(self) -> None:
        self.judged = 0

    async def questions(self, raw: bytes) -> tuple[str, ...]:
        """See `Evaluator.questions`."""
        return evaluation.questions(raw)

    async def judge(self, raw: bytes, about: Circumstances) -> Verdict:
        """See `Evaluator.judge`."""
        self.judged += 1
        return evaluation.judge(raw, about)

    async def judge_file(self, content: bytes, about: Circumstances) -> Verdict:
        """See `Evaluator.judge_file`."""
        self.judged += 1
        return judge_file(content, about)
