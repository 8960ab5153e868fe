"""Verifying a transcript with the logs and no secret but what it holds itself: steps T1 to T10 (protocol, 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledger.borrower.labels import QueryKeys
from ledger.chain.logview import LogView
from ledger.consortium.history import History
from ledger.consortium.joined import check_ended, current_log
from ledger.consortium.manifest import Manifest
from ledger.crypto import group
from ledger.errors import PlimsollError, Unverified
from ledger.keys import PublicKeys
from ledger.queries import decryption
from ledger.queries.decryption import Session
from ledger.queries.findings import Asked, Examiner, Findings
from ledger.queries.question import check_heads, check_in_force
from ledger.queries.release import WITHHELD
from ledger.queries.transcript import FULL, REDACTED, Record, Secret, Transcript
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head
from ledger.tlog.receipt import Receipt

# At which step the examination of an inquiry fails that says this.
_STEP_OF = {
    "BAD_LABEL": "T5",
    "GAP": "T5",
    "TOO_MANY_INQUIRIES": "T5",
    "TOO_MANY_CONTRIBUTORS": "T6",
    "IDENTITY_SUM": "T7",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What verification came to.

    failed: the first step that fails, "" if none; message: why. passed: the steps that hold. opened: the sums shown to
    be right, by field name; unopened: released fields for which the transcript names no sum. assumed: what this form
    cannot show.
    """

    form: str
    failed: str
    message: str
    passed: tuple[str, ...]
    opened: Mapping[str, int] = field(default_factory=dict, repr=False)
    unopened: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether every step of this form holds."""
        return not self.failed


def verify(raw: bytes, logs: Mapping[str, LogView], history: History, *keys: PublicKeys) -> Report:
    """Verifies a transcript. Never raises for what it holds: the report names the first step that fails.

    logs: by name (`joined`), as the verifier holds them, each entry verified, those that have ended included.
    keys: of the key epochs, as the ceremonies on them left them.
    """
    try:
        transcript = Transcript.parse(raw)
    except PlimsollError as error:
        return Report("", "T1", str(error), ())
    manifest = history.get(transcript.manifest)
    of_epoch = next((one for one in keys if one.epoch == transcript.epoch), None)
    form = REDACTED if transcript.secret is None else FULL
    if transcript.consortium != history.consortium or manifest is None:
        return Report(form, "T1", "consortium or manifest: not one of those known", ())
    if of_epoch is None:
        return Report(form, "T1", "epoch: its keys are not known", ())
    return _Verification(transcript, logs, history, manifest, of_epoch).report()


class _Failed(Exception):
    """A step does not hold."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


class _Verification:
    """One transcript on its way through the steps."""

    def __init__(
        self,
        transcript: Transcript,
        logs: Mapping[str, LogView],
        history: History,
        manifest: Manifest,
        keys: PublicKeys,
    ) -> None:
        self._transcript = transcript
        self._logs = logs
        self._history = history
        self._manifest = manifest
        self._keys = keys
        self._leaf = merkle.leaf_hash(transcript.entry)
        self._heads = tuple(zip((member.name for member in manifest.members), transcript.heads, strict=False))

    def report(self) -> Report:
        transcript = self._transcript
        form = REDACTED if transcript.secret is None else FULL
        passed: list[str] = []
        for step, check in self._steps():
            try:
                check()
            except _Failed as failure:
                return Report(form, failure.step, str(failure), tuple(passed))
            except PlimsollError as error:
                return Report(form, step, str(error), tuple(passed))
            passed.append(step)
        opened = {f.label: m for f, m in transcript.result.items() if m is not None}
        unopened = tuple(f.label for f, m in transcript.result.items() if m is None)
        assumed = ("contributors", "withheld") if transcript.secret is None else ()
        if self._asked().inquiry.frozen:
            assumed = (*assumed, "frozen")
        if any(self._asked().inquiry.settled):
            assumed = (*assumed, "settled")
        return Report(form, "", "", tuple(passed), opened, unopened, assumed)

    def _steps(self) -> list[tuple[str, Callable[[], None]]]:
        steps = [("T1", self._check_facts), ("T2", self._check_inquiry), ("T3", self._check_heads)]
        steps.append(("T4", self._check_roots))
        if self._transcript.secret is not None:
            steps += _FullSteps(self._transcript, self._transcript.secret, self._asked, self._examine).steps()
        return [*steps, ("T9", self._check_partials), ("T10", self._check_result)]

    def _check_facts(self) -> None:
        transcript = self._transcript
        _require(transcript.querier in self._manifest, "no member", "querier")
        _require(transcript.withheld in ("", *WITHHELD), "no such reason", "withheld")

    def _check_inquiry(self) -> None:
        transcript = self._transcript
        receipt = Receipt.parse(transcript.receipt)
        _require(receipt.index == transcript.index, "the receipt is for another index", "inquiry.index")
        receipt.verify(transcript.entry, self._manifest.log_key(transcript.querier))
        check_in_force(self._manifest, transcript.epoch, self._asked().inquiry)

    def _asked(self) -> Asked:
        return Asked.read(self._transcript.querier, self._transcript.index, self._transcript.entry)

    def _check_heads(self) -> None:
        transcript, manifest = self._transcript, self._manifest
        names = [member.name for member in manifest.members]
        _require([used.member for used in transcript.heads] == names, "not the members in their order", "heads")
        heads = [Head(manifest.origin(used.member), used.size, used.root) for used in transcript.heads]
        check_heads(manifest, self._asked().inquiry, heads)
        own = transcript.heads[names.index(transcript.querier)]
        _require(own.size <= transcript.index, "the asker's own head reaches beyond the inquiry", "heads")

    def _check_roots(self) -> None:
        for member, used in self._heads:
            log = current_log(self._manifest, member, self._logs)
            _require(used.size <= log.size, f"the log of {member} is held only up to {log.size}", "heads")
            root = log.root_at(used.size) if used.size else merkle.EMPTY_ROOT
            _require(root == used.root, f"the log of {member} has another root at this size", "heads")
            for ended in self._manifest.former_logs(member):
                check_ended(ended, self._logs)
        transcript, own = self._transcript, current_log(self._manifest, self._transcript.querier, self._logs)
        _require(transcript.index < own.size, f"the asker's log is held only up to {own.size}", "inquiry")
        _require(own.leaf_hash(transcript.index) == self._leaf, "the asker's log has another entry there", "inquiry")

    def _examine(self) -> Findings:
        assert self._transcript.secret is not None
        keys = QueryKeys(self._transcript.secret.query_key)
        return Examiner(self._history, self._keys).examine(self._asked(), keys, self._logs)

    def _check_partials(self) -> None:
        transcript = self._transcript
        indices = [partial.custodian_index for partial in transcript.partials]
        if not transcript.nonce_sum:
            empty = not (indices or transcript.body_sums or transcript.result or transcript.contributors)
            _require(empty, "where nobody contributes nothing is decrypted", "nonce_sum")
            return
        needed = self._history.keeping(transcript.epoch).threshold
        _require(len(indices) >= needed, f"{needed} custodians are needed", "partials")
        _require(sorted(set(indices)) == indices, "custodians must ascend, each once", "partials")
        group.decode_point(transcript.nonce_sum, "nonce_sum")
        _require(len(transcript.body_sums) == len(transcript.fields), "one per released field", "body_sums")
        bodies = {int(f): body for f, body in zip(transcript.fields, transcript.body_sums, strict=True)}
        session = Session(
            transcript.consortium,
            transcript.epoch,
            self._leaf,
            transcript.nonce_sum,
            transcript.contributors,
            bodies,
        )
        for place, partial in enumerate(transcript.partials):
            try:
                decryption.verify(session, partial, self._keys.custodian(partial.custodian_index).fields)
            except PlimsollError as error:
                raise error.under(f"partials[{place}]") from error

    def _check_result(self) -> None:
        transcript = self._transcript
        _require(set(transcript.result) == set(transcript.fields), "not the released fields", "result")
        if not transcript.fields:
            return
        masks = decryption.combine(transcript.partials, transcript.fields)
        for f, body in zip(transcript.fields, transcript.body_sums, strict=True):
            point = group.sub(group.decode_point(body, "body_sums", allow_identity=True), masks[f])
            m = transcript.result[f]
            opens = m is None or group.mul_base(group.scalar_from_int(m)) == point
            _require(opens, "not what the sums open to", f"result.{f.label}")


class _FullSteps:
    """T5 to T8: what takes the query key."""

    def __init__(
        self, transcript: Transcript, secret: Secret, asked: Callable[[], Asked], examine: Callable[[], Findings]
    ) -> None:
        self._transcript = transcript
        self._secret = secret
        self._asked = asked
        self._examine = examine
        self._found: Findings | None = None

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """In order; T5 works out what the others compare with."""
        return [
            ("T5", self._check_label),
            ("T6", self._check_selection),
            ("T7", self._check_sums),
            ("T8", self._check_withheld),
        ]

    def _check_label(self) -> None:
        try:
            self._found = self._examine()
        except PlimsollError as error:
            raise _Failed(_STEP_OF.get(error.reason, "T8"), str(error)) from error

    @property
    def _findings(self) -> Findings:
        assert self._found is not None, "T5 comes first"
        return self._found

    def _check_selection(self) -> None:
        selection = self._findings.selection
        records = tuple(Record(c.member, c.number, c.index, c.entry) for c in selection.contributions)
        _require(self._secret.records == records, "not the records that the logs give", "records")
        _require(self._secret.excluded == selection.exclusions, "not what the logs leave out", "excluded")

    def _check_sums(self) -> None:
        transcript, findings = self._transcript, self._findings
        released = tuple(findings.body_sums[f] for f in transcript.fields) if findings.body_sums else ()
        _require(transcript.nonce_sum == (findings.nonce_sum or b""), "not the sum of the records' nonces", "nonce_sum")
        _require(transcript.body_sums == released, "not the sums of the records' bodies", "body_sums")
        _require(
            transcript.contributors == len(findings.selection.contributions),
            "not the number of records",
            "contributors",
        )

    def _check_withheld(self) -> None:
        _require(self._transcript.withheld == self._findings.withheld, "not the release rule's verdict", "withheld")


def _require(holds: bool, message: str, path: str) -> None:
    if not holds:
        raise Unverified("MISMATCH", message, path)
