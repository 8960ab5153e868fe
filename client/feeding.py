"""Sending a feed to the node, and one summary of what both ends found: lines that are no rows do not travel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from plimsoll.v1 import lender_pb2

from client.csvfeed import FeedBatch, read_feed
from client.sdk import Session
from ledger.errors import PlimsollError
from ledger.positions.feed import Rejected

MAX_REJECTIONS = 10_000  # told one by one; the others are counted


class Feeding:
    """One run of one feed. `summary` tells what became of it so far; rejections in order of lines."""

    def __init__(self, stream: BinaryIO, *, strict: bool) -> None:
        """stream: the CSV file, seekable where strict."""
        self._stream = stream
        self._strict = strict
        self._rejected = 0
        self._rejections: list[Rejected] = []
        self._told = lender_pb2.ReportSummary()

    @property
    def summary(self) -> lender_pb2.ReportSummary:
        """What the node said, and the lines that were no rows."""
        summary = lender_pb2.ReportSummary()
        summary.CopyFrom(self._told)
        summary.read += self._rejected
        summary.rejected += self._rejected
        del summary.rejections[:]
        both = [*self._told.rejections, *(each.to_proto() for each in self._rejections)]
        summary.rejections.extend(sorted(both, key=lambda each: each.line)[:MAX_REJECTIONS])
        return summary

    def may_be_sent(self) -> bool:
        """False where strict and some line is no row: then nothing may be sent, and the summary tells which.

        Raises InvalidInput for a file that is no feed.
        """
        if not self._strict:
            return True
        read = sum(len(batch.rows) for batch in self._batches())
        self._stream.seek(0)
        if self._rejected:
            self._told.read = read
        return not self._rejected

    def send(self, session: Session) -> Iterator[lender_pb2.ReportResponse]:
        """Sends the feed; yields the progress. Raises InvalidInput for what is no feed, and what the node does."""
        done = False
        for response in session.report((batch.rows for batch in self._batches() if batch.rows), self._strict):
            if response.HasField("summary"):
                self._told.CopyFrom(response.summary)
                done = True
            yield response
        if not done:
            raise PlimsollError("NO_SUMMARY", "the node ended the call without saying what became of the feed")

    def _batches(self) -> Iterator[FeedBatch]:
        for batch in read_feed(self._stream):
            self._rejected += len(batch.rejected)
            self._rejections += batch.rejected[: MAX_REJECTIONS - len(self._rejections)]
            yield batch
