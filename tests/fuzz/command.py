"""`scripts/fuzz`: every target, or one, under a coverage-guided fuzzer (docs/fuzzing.md)."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests.fuzz.mutations import PIECES

if TYPE_CHECKING:  # the targets are imported where it is known whether their branches are to be watched
    from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "scripts" / "fuzz.lock"
SLOWEST = 20  # seconds of one input, on a machine that has other things to do, too
MEMORY = 2048  # MiB of the whole process
LONGEST = 1 << 16  # bytes of one input
FOUND, UNKNOWN, NOT_INSTALLED = 1, 2, 3
WATCHED = ["ledger", "client", "node", "tomllib", "stdnum"]
"""Whose branches count as coverage; what is written in C is not seen into."""


@dataclass(frozen=True)
class Outcome:
    """What came of one target. crashes: files with inputs that broke its promise."""

    target: Target
    runs: int
    coverage: int
    seconds: float
    crashes: tuple[Path, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 where something was found, 2 for no such target, 3 where this Python has no fuzzer."""
    asked = _parser().parse_args(arguments)
    plain = asked.list or asked.reproduce is not None
    if not plain and not _is_installed() and not _install():
        return NOT_INSTALLED
    targets = _targets(watched=not plain)
    if asked.list:
        print(*targets, sep="\n")
        return 0
    if asked.target is not None and asked.target not in targets:
        print(f"fuzz: there is no target {asked.target!r}; --list names them", file=sys.stderr)
        return UNKNOWN
    if asked.reproduce is not None:
        return _reproduce(targets[asked.target], asked.reproduce)
    chosen = [targets[asked.target]] if asked.target else targets.values()
    return _summed([_fuzz(target, asked.folder / target.name, asked.seconds) for target in chosen])


def _targets(*, watched: bool) -> Mapping[str, Target]:
    """By name. watched: with a counter at every branch of what they read with; takes ten seconds."""
    if not watched:
        from tests.fuzz.targets import BY_NAME

        return BY_NAME
    import atheris

    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=WATCHED):  # it names every module
        from tests.fuzz.targets import BY_NAME
    return BY_NAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", metavar="TARGET", help="one of --list (default: all, one after the other)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--list", action="store_true", help="name the targets and stop")
    parser.add_argument(
        "--reproduce", type=Path, metavar="FILE", help="run TARGET once on this input, without the fuzzer"
    )
    parser.add_argument(
        "--folder", type=Path, default=_folder(), help="where inputs are kept from run to run (default: %(default)s)"
    )
    return parser


def _folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "plimsoll" / "fuzz"


# -- the fuzzer itself, which nothing else needs


def _is_installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _install() -> bool:
    """Whether atheris is there now. It is never built from source: that takes clang and half an hour."""
    print("fuzz: installing atheris, pinned in scripts/fuzz.lock", file=sys.stderr)
    pip = (sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input")
    done = subprocess.run((*pip, "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)), check=False)
    importlib.invalidate_caches()
    if done.returncode == 0 and _is_installed():
        return True
    print(
        f"fuzz: no atheris for Python {platform.python_version()} on {platform.system()} {platform.machine()}: "
        "its wheels are for CPython 3.11 to 3.13 on Linux x86-64 (PLIMSOLL_PYTHON names another interpreter). "
        "`scripts/test tests/fuzz` tries the same targets without it, on every machine.",
        file=sys.stderr,
    )
    return False


# -- one target


def _fuzz(target: Target, folder: Path, seconds: int) -> Outcome:
    corpus, crashes, log = folder / "corpus", folder / "crashes", folder / "log"
    for each in (corpus, crashes):
        each.mkdir(parents=True, exist_ok=True)
    for sample in target.samples:
        (corpus / hashlib.sha256(sample).hexdigest()).write_bytes(sample)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in dict.fromkeys((*PIECES, *target.tokens)) if word))
    known = set(crashes.iterdir())
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={max(LONGEST, *map(len, target.samples))}",
        f"-artifact_prefix={crashes}/",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    print(f"fuzz: {target.name} ..", end=" ", flush=True)
    began = time.monotonic()
    # libFuzzer ends the process it runs in.
    child = os.fork()
    if not child:
        _run(target, log, [*flags, str(corpus)])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = log.read_text("utf-8", "replace")
    found = tuple(sorted(set(crashes.iterdir()) - known)) or ((log,) if status else ())
    outcome = Outcome(target, *_figures(said), time.monotonic() - began, found)
    print(f"{outcome.runs:,} runs in {outcome.seconds:.0f} s, {outcome.coverage:,} branches", flush=True)
    if found:
        _tell(outcome, said)
    return outcome


def _run(target: Target, log: Path, flags: Sequence[str]) -> NoReturn:
    """Fuzzes until a flag says stop, or the target breaks its promise. Never comes back."""
    import atheris

    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    atheris.Setup(["fuzz", *flags], target.check)
    atheris.Fuzz()
    os._exit(0)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _figures(said: str) -> tuple[int, int]:
    """Executions and branches seen, by libFuzzer's own count."""
    runs = re.findall(r"stat::number_of_executed_units: (\d+)", said) or re.findall(r"^#(\d+)", said, re.MULTILINE)
    branches = re.findall(r"\bcov: (\d+)", said)
    return (int(runs[-1]) if runs else 0), (int(branches[-1]) if branches else 0)


def _tell(outcome: Outcome, said: str) -> None:
    traceback = re.findall(r"=== Uncaught Python exception: ===\n(.*?)(?:\n\n|\n==)", said, re.DOTALL)
    print(traceback[-1] if traceback else said[-3000:])
    for crash in outcome.crashes:
        print(f"fuzz: FOUND {crash}\n      scripts/fuzz {outcome.target.name} --reproduce {crash}")


def _reproduce(target: Target, file: Path) -> int:
    began = time.thread_time()
    target.check(file.read_bytes())
    print(f"{target.name} keeps its promise on {file} ({time.thread_time() - began:.2f} s)")
    return 0


def _summed(outcomes: Iterable[Outcome]) -> int:
    outcomes = list(outcomes)
    broken = [outcome for outcome in outcomes if outcome.crashes]
    runs = sum(outcome.runs for outcome in outcomes)
    print(f"fuzz: {len(outcomes)} targets, {runs:,} runs, {len(broken)} broke their promise")
    for outcome in broken:
        print(f"fuzz: {outcome.target.name}: {', '.join(map(str, outcome.crashes))}")
    return FOUND if broken else 0
