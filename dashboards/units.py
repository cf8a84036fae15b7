"""The units that Grafana knows (packages/grafana-data/src/valueFormats/categories.ts), without most of physics'.

What it does not know it writes behind the value, as if that were meant.
"""

from __future__ import annotations

import re

_MISC = (
    "none string short sishort percent percentunit humidity dB hex0x hex sci locale pixel bool bool_yes_no bool_on_off"
)
_DATA = (
    "bytes kbytes mbytes gbytes tbytes pbytes decbytes deckbytes decmbytes decgbytes dectbytes decpbytes bits decbits"
)
_RATES = (
    "pps binBps Bps binbps bps KiBs Kibits KBs Kbits MiBs Mibits MBs Mbits GiBs Gibits GBs Gbits TiBs Tibits TBs Tbits "
    "PiBs Pibits PBs Pbits"
)
_TIMES = (
    "hertz ns µs ms s m h d dtdurationms dtdurations dthms dtdhms timeticks clockms clocks dateTimeAsIso "
    "dateTimeAsIsoNoDateIfToday dateTimeAsUS dateTimeAsUSNoDateIfToday dateTimeAsLocal "
    "dateTimeAsLocalNoDateIfToday dateTimeAsSystem dateTimeFromNow"
)
_THROUGHPUT = "cps ops reqps rps wps iops eps mps recps rowsps cpm opm reqpm rpm wpm epm mpm recpm rowspm"
_OTHERS = "celsius fahrenheit kelvin watt kwatt watth kwatth joule volt amp rotrpm rothz degree lengthm masskg"
UNITS = frozenset(" ".join((_MISC, _DATA, _RATES, _TIMES, _THROUGHPUT, _OTHERS)).split())
#: Units that hold a text of their own.
_OWN = re.compile(r"(suffix|prefix|time|si|count|currency|bool):.+|currency[A-Zmμ]{3,4}")


def known_unit(unit: str) -> bool:
    """Whether Grafana writes values of a unit in a way of its own."""
    return unit in UNITS or _OWN.fullmatch(unit) is not None
