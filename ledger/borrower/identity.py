"""A borrower's identity in its one canonical form, `<scheme>:<value>` (design, section 6).

Two lenders that spell one person differently would get two pseudonym keys and see half the debt each. So every value
has exactly one spelling here (NFKC, upper case, no separators, the old 15-digit form lengthened), and whatever cannot
be brought to it is refused. A refusal never repeats the text: a mistyped identity number is still somebody's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType, ModuleType

from stdnum import lei
from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.in_ import pan
from stdnum.jp import cn as jp_cn
from stdnum.th import pin
from stdnum.tw import ubn

from ledger.borrower.countries import COUNTRIES
from ledger.errors import InvalidInput

PATH = "borrower"
MAX_LENGTH = 128  # of the text as given; the longest canonical form has 69

_SEPARATORS = re.compile(r"[ \u2010-\u2015\u2212-]+")  # after NFKC: blanks and the dashes people type
_RIC = re.compile(r"[0-9]{17}[0-9X]")
_RIC_OLD = re.compile(r"[0-9]{15}")
_PASSPORT_NUMBER = re.compile(r"[0-9A-Z]{4,16}")
_TEST = re.compile(r"[0-9A-Za-z._-]{1,64}")
_NUMBER = re.compile(r"[0-9A-Z]{8,20}")
_LEI = re.compile(r"[0-9A-Z]{18}[0-9]{2}")


def canonical(identity: str) -> str:
    """The canonical form of an identity, which is its own canonical form.

    Raises InvalidInput (path "borrower"): UNKNOWN_SCHEME, BAD_CHECKSUM, or BAD_IDENTITY for everything else.
    """
    if len(identity) > MAX_LENGTH:
        raise _bad("the identity is too long")
    scheme, colon, value = unicodedata.normalize("NFKC", identity).strip().partition(":")
    if not colon:
        raise _bad("an identity is written <scheme>:<value>")
    scheme = scheme.lower()
    read = SCHEMES.get(scheme)
    if read is None:
        raise InvalidInput("UNKNOWN_SCHEME", f"unknown scheme; known are {', '.join(SCHEMES)}", PATH)
    return f"{scheme}:{read(value)}"


def _bad(message: str) -> InvalidInput:
    return InvalidInput("BAD_IDENTITY", message, PATH)


def _bad_checksum(scheme: str) -> InvalidInput:
    return InvalidInput("BAD_CHECKSUM", f"the check digit of this {scheme} is wrong", PATH)


def _compact(value: str) -> str:
    number = _SEPARATORS.sub("", value)
    # Upper-casing other alphabets can make ASCII out of them ("ß" becomes "SS").
    return number.upper() if number.isascii() else number


def _cn_id(value: str) -> str:
    """GB 11643: 6 digits of place, 8 of birth date, 3 of order, 1 check digit; the 15-digit form of before 1999 has a
    two-digit year, always of the 1900s, and no check digit.

    The place is not looked up in stdnum's table: that wants the county to have existed when its bearer was born, which
    a number given out later need not fulfil, and knows nothing of residents from abroad, Hong Kong, Macau and Taiwan.
    """
    number = _compact(value)
    old = _RIC_OLD.fullmatch(number) is not None
    if old:
        number = f"{number[:6]}19{number[6:]}0"
        number = number[:-1] + ric.calc_check_digit(number)
    if _RIC.fullmatch(number) is None:
        raise _bad("a cn-id has 18 digits, or 17 and X, or 15 in the old form")
    if not old and number[-1] != ric.calc_check_digit(number):
        raise _bad_checksum("cn-id")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise _bad("the birth date in this cn-id does not exist") from None
    if not 1800 <= born.year < 2200:
        raise _bad("the birth date in this cn-id is out of range")
    return number


def _passport(value: str) -> str:
    """<country>:<number>; alpha-2, as a person known once by CN and once by CHN would be two."""
    country, colon, number = value.partition(":")
    country = _compact(country)
    if not colon or country not in COUNTRIES:
        raise _bad("a passport is written passport:<country>:<number>, with a two-letter ISO 3166 country")
    number = _compact(number)
    if _PASSPORT_NUMBER.fullmatch(number) is None:
        raise _bad("a passport number has 4 to 16 letters and digits")
    return f"{country}:{number}"


def _test(value: str) -> str:
    if _TEST.fullmatch(value) is None:
        raise _bad("a test identity has 1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def _numbered(scheme: str, module: ModuleType, form: re.Pattern[str] = _NUMBER) -> Callable[[str], str]:
    """A scheme that python-stdnum knows whole: no clock, no table of places, one compact form.

    `form` is for what it leaves open: it takes an LEI of any length.
    """

    def read(value: str) -> str:
        number = _compact(value)
        if form.fullmatch(number) is None:
            raise _bad(f"this {scheme} has a wrong length or characters that do not belong")
        try:
            valid: str = module.validate(number)
        except InvalidChecksum:
            raise _bad_checksum(scheme) from None  # the cause would bring the number into a traceback
        except (ValidationError, ValueError, LookupError):
            raise _bad(f"not a {scheme}") from None
        return valid

    return read


SCHEMES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "cn-id": _cn_id,  # natural persons in China
        "cn-uscc": _numbered("cn-uscc", uscc),  # unified social credit code: Chinese organisations (GB 32100)
        "passport": _passport,
        "in-pan": _numbered("in-pan", pan),  # India, persons and organisations
        "jp-cn": _numbered("jp-cn", jp_cn),  # Japan, organisations
        "th-pin": _numbered("th-pin", pin),  # Thailand, persons
        "tw-ubn": _numbered("tw-ubn", ubn),  # Taiwan, businesses
        "lei": _numbered("lei", lei, _LEI),  # organisations anywhere (ISO 17442)
        "test": _test,
    }
)
