"""`undeliver classifier`: run the service; classify files by hand, and say why."""

import argparse
import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from libs.common.clock import SystemClock
from libs.common.errors import ConfigurationError
from libs.common.runtime import run_command
from libs.common.settings import configuration_path, read_settings
from libs.common.tenants.loading import load_configuration
from libs.common.terminal import Output, add_config_argument, add_json_argument
from services.classifier.app import open_evaluator
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.explanation import lines
from services.classifier.domain.policy import of_tenant
from services.classifier.domain.verdict import Verdict
from services.classifier.ports import Evaluator
from services.classifier.settings import Tuning

#: Exchange Online takes no larger message.
MAX_FILE_BYTES = 200 * 1024 * 1024
_FILES = (
    "A journal report or a user's report is unwrapped, and the message inside is judged. Anybody "
    "can forge a report: Microsoft's headers inside of one from Exchange Online count only against "
    "the message, and what stands around the message is judged, too."
)
_COLUMNS = ("file", "disposition", "score", "attributes", "reason", "error")


@dataclass(frozen=True, slots=True)
class Judged:
    """One file, and what it is, or why it could not be read."""

    path: Path
    verdict: Verdict | None = None
    error: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Mount this service's commands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="run the service (settings: CLASSIFIER_…)")
    add_config_argument(running)
    classify = commands.add_parser(
        "classify", help="classify mail in files, without the network", description=_FILES
    )
    classify.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    explain = commands.add_parser(
        "explain",
        help="classify one file and show what each reason counts",
        description=_FILES,
    )
    explain.add_argument("paths", nargs=1, type=Path, metavar="FILE")
    for command in (classify, explain):
        add_json_argument(command)
        add_config_argument(command)
        command.add_argument("--tenant", help="judge as this tenant of the configuration would")
        command.add_argument(
            "--trust-receiver",
            action="store_true",
            help="believe Microsoft's headers also where they excuse a message: the files come "
            "from your own tenant's journal or mailboxes in Exchange Online, not from strangers",
        )


def main(arguments: argparse.Namespace) -> int:
    """Run the command that was named, and return its exit code."""
    if arguments.command == "run":
        from services.classifier.__main__ import main as serve

        return serve(arguments.config)
    command = _explain if arguments.command == "explain" else _classify
    return run_command(lambda: command(arguments))


async def _classify(arguments: argparse.Namespace) -> int:
    output = Output(as_json=arguments.json)
    paths = list(_files(arguments.paths))
    errors: list[str] = []
    rows: list[dict[str, object]] = []
    with output.progress("classified", len(paths)) as step:

        def show(judged: Judged) -> None:
            step()
            errors.extend([judged.error] if judged.error else [])
            if output.as_json:
                output.record(_record(judged))
            else:
                rows.append(_row(judged))

        await _judge_all(paths, arguments, show)
    if not output.as_json:
        output.records(rows, _COLUMNS, empty="no files")
    return 1 if errors else 0


async def _explain(arguments: argparse.Namespace) -> int:
    output = Output(as_json=arguments.json)
    found: list[Judged] = []
    await _judge_all(arguments.paths, arguments, found.append)
    for judged in found:
        if output.as_json:
            output.record(_record(judged))
        elif judged.verdict is not None:
            output.text("\n".join(lines(judged.verdict)))
        else:
            output.note(f"{judged.path}: {judged.error}")
    return 1 if any(judged.error for judged in found) else 0


async def _judge_all(
    paths: Sequence[Path], arguments: argparse.Namespace, show: Callable[[Judged], None]
) -> None:
    """Show the verdicts in the order of the paths, a bounded number of files in work."""
    if not paths:
        return
    about = replace(_about(arguments), is_receiver_trusted=arguments.trust_receiver)
    tuning = read_settings(Tuning)
    tuning = tuning.model_copy(update={"workers": min(tuning.workers, len(paths))})
    waiting: deque[asyncio.Task[Judged]] = deque()
    async with open_evaluator(tuning, SystemClock()) as evaluator, asyncio.TaskGroup() as group:
        starting = group.create_task(evaluator.ready())  # fails where files would wait for ever
        for path in paths:
            waiting.append(group.create_task(_judge(path, about, evaluator)))
            if len(waiting) > 2 * tuning.workers:
                show(await waiting.popleft())
        while waiting:
            show(await waiting.popleft())
        starting.cancel()


async def _judge(path: Path, about: Circumstances, evaluator: Evaluator) -> Judged:
    try:
        raw = await asyncio.to_thread(_read, path)
    except OSError as error:
        return Judged(path, error=error.strerror or type(error).__name__)
    return Judged(path, verdict=await evaluator.judge_file(raw, about))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES)


def _about(arguments: argparse.Namespace) -> Circumstances:
    """Return the tenant's circumstances; none without `--tenant` and an only tenant."""
    path = configuration_path(arguments.config)
    if path is None and arguments.tenant is None:
        return Circumstances()
    tenants = {tenant.id: tenant for tenant in load_configuration(path).tenants}
    name = arguments.tenant or (next(iter(tenants)) if len(tenants) == 1 else None)
    if name is None:
        raise ConfigurationError(f"--tenant: name one of {', '.join(sorted(tenants))}")
    if name not in tenants:
        raise ConfigurationError(f"--tenant: {name} is not in the configuration")
    return of_tenant(tenants[name])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files, and those in folders in the order of their names; a missing one as it is."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file())
        else:
            yield path


def _record(judged: Judged) -> dict[str, Any]:
    if judged.verdict is None:
        return {"file": str(judged.path), "error": judged.error}
    verdict = judged.verdict
    return {
        "file": str(judged.path),
        "disposition": verdict.disposition.value,
        "attributes": list(verdict.attributes),
        "score": verdict.score,
        "retractable": verdict.retractable,
        "reasons": [{"code": r.code, "detail": r.detail} for r in verdict.reasons],
    }


def _row(judged: Judged) -> dict[str, object]:
    row = _record(judged)
    reasons = judged.verdict.reasons if judged.verdict else ()
    return {**row, "reason": reasons[0].code if reasons else None}
