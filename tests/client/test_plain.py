from __future__ import annotations

import json

from plimsoll.v1 import lender_pb2, operator_pb2, peer_pb2

from client.plain import exposure, plain


def test_every_field_is_there_set_or_not() -> None:
    assert set(plain(operator_pb2.StatusResponse())) == {f.name for f in operator_pb2.StatusResponse.DESCRIPTOR.fields}
    assert plain(operator_pb2.StatusResponse())["keys"] is None


def test_64_bits_stay_a_number_and_bytes_are_hex() -> None:
    facts = plain(peer_pb2.HeadRef(origin="o", size=(1 << 64) - 1, root=b"\x00\xff"))
    assert facts == {"origin": "o", "size": (1 << 64) - 1, "root": "00ff"}
    assert json.loads(json.dumps(facts)) == facts


def test_an_answer_without_amounts_has_null_and_never_the_transcript() -> None:
    facts = exposure(lender_pb2.ExposureResponse(withheld="DIFFERENCING", transcript=b"secret"))
    assert facts["amounts"] is None
    assert "transcript" not in facts


def test_an_answer_of_nothing_is_zero_and_not_null() -> None:
    facts = exposure(lender_pb2.ExposureResponse(amounts=lender_pb2.Amounts()))
    assert facts["amounts"] == {"credit_limit": 0, "outstanding": 0, "monthly_due": 0}


def test_a_purpose_not_known_here_is_said_so() -> None:
    count = lender_pb2.InquiryCount(member="m", purpose=99)  # type: ignore[arg-type]
    assert exposure(lender_pb2.ExposureResponse(inquiries=[count]))["inquiries"][0]["purpose"] == "unknown"
