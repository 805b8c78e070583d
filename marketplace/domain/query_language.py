"""This will read a search as people write it: ``gpu_name=RTX_4090 num_gpus>=2 dph<0.5 epyc``.

The names, the relations and the units are those of Vast.ai's search, as many people have scripts
in it. A word without a relation must stand in the GPU's or the CPU's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from marketplace.domain import country
from marketplace.domain.money import PPM, usd
from marketplace.domain.offer_query import Condition, Field, Relation
from marketplace.domain.problem import Refused

TEXT_MAX = 500
TERMS_MAX = 20
VALUES_MAX = 50
GB = 10**9
GIB = 1 << 30
BYTES_MAX = 1 << 50
DAY_S = 86_400

#: other names of the same things
ALIASES: Mapping[str, Field] = {
    "cpu_cores_effective": Field.CPU_CORES,
    "cpus": Field.CPU_CORES,
    "dph_total": Field.DPH,
    "price": Field.DPH,
    "gpus": Field.NUM_GPUS,
    "gpu": Field.GPU_NAME,
    "inet_down_cost": Field.INET_COST,
    "inet_up_cost": Field.INET_COST,
    "ram": Field.CPU_RAM,
    "disk": Field.DISK_SPACE,
    "reliability2": Field.RELIABILITY,
    "vram": Field.GPU_RAM,
    "cuda_max_good": Field.CUDA_VERS,
}
#: what Vast.ai's search has and this one has not, and what to use instead
INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("dlperf", "total_flops"), "use tops, which validators measured"),
    **dict.fromkeys(
        ("dlperf_usd", "dlperf_per_dphtotal", "flops_usd", "flops_per_dphtotal"),
        "sort by value, the price for measured work",
    ),
    "driver_version": "use cuda_vers, the newest CUDA that the driver runs",
    **dict.fromkeys(
        ("compute_cap", "gpu_arch", "bw_nvlink", "gpu_max_power", "gpu_max_temp"),
        "name the GPUs: gpu_name in [RTX_4090,H100]",
    ),
    **dict.fromkeys(
        ("pci_gen", "pcie_bw", "gpu_lanes"), "use gpu_mem_bw, or name the GPUs by gpu_name"
    ),
    **dict.fromkeys(("cpu_ghz", "cpu_arch", "has_avx"), "name the CPU: cpu_name~EPYC"),
    "disk_bw": "use disk_space, and read the disk's speed on the machine's page",
    "gpu_frac": "use num_gpus, and cpu_cores, cpu_ram and disk_space for the rest",
    "direct_port_count": "leave it out, as every rental publishes the ports that it asks for",
    "datacenter": "use reliability, verified and inet_down",
    "score": "sort by price, value, reliability or start",
    **dict.fromkeys(
        ("static_ip", "ubuntu_version", "os_version", "gpu_display_active", "vms_enabled"),
        "leave it out, as nobody measures it here",
    ),
}
#: what people's scripts ask for and every offer here fulfils
ALWAYS = {"rentable": True, "external": False}
#: of which some are left out where nothing is said
HIDING = (Field.VERIFIED, Field.RENTED)
TRUTHS = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}

_TERM = re.compile(
    r"""(?P<name>[A-Za-z]\w*)
        (?: \s*(?P<relation><=|>=|==|!=|=|<|>|~)\s*
          | \s+(?P<among>(?:[nN][oO][tT]\s*)?[iI][nN])\s*(?=\[) )
        (?P<value>\[[^\]]*\] | "[^"]*" | '[^']*' | (?:[^\s\[\]<>=~"',]|,(?!\s|$))+)""",
    re.VERBOSE,
)
_WORD = re.compile(r"""(?:[^\s<>=~!\[\]"',]|,(?!\s|$))+""")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[kmgt]i?b)?", re.IGNORECASE)
_UNITS = {
    f"{letter}{binary}b": (1024 if binary else 1000) ** power
    for power, letter in enumerate("kmgt", start=1)
    for binary in ("i", "")
}


class QueryInvalid(Refused):
    """The text is no search."""

    code = "query_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class Query:
    words: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


def parse(text: str) -> Query:
    """Return what the text asks for; an empty one asks for nothing.

    :raises QueryInvalid: when a part of it is not understood; the sentence names the part.
    """
    if len(text) > TEXT_MAX:
        raise QueryInvalid(f"A search has {TEXT_MAX} characters at most.")
    words: list[str] = []
    conditions: list[Condition] = []
    at, terms = 0, 0
    while at < len(text):
        if _separates(text[at]):
            at += 1
            continue
        found = _TERM.match(text, at)
        if found is not None:
            condition = _condition(found)
            conditions += [condition] if condition else []
        else:
            found = _word(text, at)
            words.append(found[0].replace("_", " "))
        at, terms = found.end(), terms + 1
        if terms > TERMS_MAX:
            raise QueryInvalid(f"A search has {TERMS_MAX} conditions and words at most.")
    return Query(tuple(words), tuple(conditions))


def _separates(letter: str) -> bool:
    return letter.isspace() or letter == ","


def _word(text: str, at: int) -> re.Match[str]:
    found = _WORD.match(text, at)
    if found is None or (found.end() < len(text) and not _separates(text[found.end()])):
        part = text[at:].split(maxsplit=1)[0][:40]
        raise QueryInvalid(f"“{part}” is not understood. Write conditions like num_gpus>=2.")
    return found


def _condition(found: re.Match[str]) -> Condition | None:
    """Return None where every offer fulfils it."""
    name = found["name"].lower()
    written = found["relation"] or "".join(found["among"].lower().split())
    relation = Relation.EQ if written == "==" else Relation(written)
    texts = _texts(found["value"])
    if texts == ["any"] and name not in HIDING:
        return None
    if name in ALWAYS:
        _check_always(name, relation, texts)
        return None
    column = _field(name)
    meaning = _MEANINGS[column]
    if relation not in meaning.relations:
        taken = ", ".join(one.value for one in Relation if one in meaning.relations)
        raise QueryInvalid(f"{name} takes {taken}, not “{relation.value}”.")
    if column in HIDING and texts == ["any"]:
        return Condition(column, Relation.IN, (0, 1))
    among = relation in (Relation.IN, Relation.NOT_IN)
    if not among and len(texts) != 1:
        raise QueryInvalid(
            f"{name} {relation.value} takes one value; for several write {name} in [a,b]."
        )
    return Condition(column, relation, meaning.values(name, texts))


def _texts(value: str) -> list[str]:
    if not value.startswith("["):
        return [value.strip("\"'")]
    texts = [part.strip().strip("\"'") for part in value[1:-1].split(",")]
    if not all(texts):
        raise QueryInvalid(f"“{value[:40]}” is no list; write [a,b].")
    if len(texts) > VALUES_MAX:
        raise QueryInvalid(f"A list has {VALUES_MAX} values at most.")
    return texts


def _field(name: str) -> Field:
    if name in ALIASES:
        return ALIASES[name]
    try:
        return Field(name)
    except ValueError:
        if name in INSTEAD:
            raise QueryInvalid(f"Offers have no {name}: {INSTEAD[name]}.") from None
        known = [*Field, *ALIASES]
        near = get_close_matches(name, known, n=1)
        hint = f" Do you mean {near[0]}?" if near else f" There are {', '.join(Field)}."
        raise QueryInvalid(f"Offers have no {name[:40]}.{hint}") from None


def _check_always(name: str, relation: Relation, texts: list[str]) -> None:
    truth = TRUTHS.get(texts[0].lower()) if len(texts) == 1 else None
    if relation is not Relation.EQ or truth != int(ALWAYS[name]):
        shown = str(ALWAYS[name]).lower()
        raise QueryInvalid(f"Every offer here has {name}={shown}; leave {name} out.")


# ------------------------------------------------------------------ what each field's value means

_EQUAL = frozenset({Relation.EQ, Relation.NE, Relation.IN, Relation.NOT_IN})
_ORDERED = _EQUAL | {Relation.LT, Relation.LE, Relation.GT, Relation.GE}
#: of what can be rented: any amount up to what is free, so nothing is unequal to it
_AMOUNT = _ORDERED - {Relation.NE, Relation.NOT_IN}


@dataclass(frozen=True, slots=True)
class _Meaning:
    read: Callable[[str], int | str]
    #: as a person should write it
    like: str
    relations: frozenset[Relation] = field(default=_ORDERED)

    def values(self, name: str, texts: list[str]) -> tuple[int, ...] | tuple[str, ...]:
        try:
            return tuple(self.read(text) for text in texts)  # type: ignore[return-value]
        except (InvalidOperation, Refused, ValueError):
            shown = ", ".join(texts)[:40]
            raise QueryInvalid(f"“{shown}” is no {name}; write it like {self.like}.") from None


def _name(text: str) -> str:
    if not text.replace("_", " ").strip() or len(text) > 100:
        raise ValueError(text)
    return text


def _id(text: str) -> str:
    """Return how an id begins, in hex digits alone; as much as a table shows, at least."""
    digits = text.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{8,32}", digits):
        raise ValueError(text)
    return digits


def _account(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ValueError(text)
    return int(text)


def _number(text: str, *, most: int) -> Decimal:
    if not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(text)
    number = Decimal(text)
    if number > most:
        raise ValueError(text)
    return number


def _bytes(text: str, *, bare: int = GB) -> int:
    match = _SIZE.fullmatch(text) if text.isascii() else None
    if match is None:
        raise ValueError(text)
    unit = _UNITS[match["unit"].lower()] if match["unit"] else bare
    size = int(_number(match["number"], most=BYTES_MAX) * unit)
    if size > BYTES_MAX:
        raise ValueError(text)
    return size


def _vram(text: str) -> int:
    """Return bytes; a bare number is what makers print on a card, which are GiB."""
    return _bytes(text, bare=GIB)


def _dollars(text: str) -> int:
    amount = usd(text)
    if not 0 <= amount <= 10**12:
        raise ValueError(text)
    return amount


def _share(text: str) -> int:
    percent = text.endswith("%")
    number = _number(text.removesuffix("%"), most=100 if percent else 1)
    return int(number * PPM / (100 if percent else 1))


def _days(text: str) -> int:
    return int(_number(text, most=3660) * DAY_S)


def version(text: str) -> int:
    """Return 12004 of ``12.4``.

    :raises ValueError: when it is no version.
    """
    match = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,2}))?", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * 1000 + int(match[2] or 0)


def _thousands(text: str) -> int:
    return int(_number(text, most=10**9) * 1000)


def _megabits(text: str) -> int:
    # Scripts write 500.0, too; a part of a megabit was never measured.
    if not re.fullmatch(r"\d{1,7}(\.0{1,9})?", text, re.ASCII):
        raise ValueError(text)
    return int(text.partition(".")[0])


def _region(text: str) -> str:
    return country.region(text).value


def _truth(text: str) -> int:
    if text.lower() not in TRUTHS:
        raise ValueError(text)
    return TRUTHS[text.lower()]


_MEANINGS: Mapping[Field, _Meaning] = {
    Field.ID: _Meaning(_id, "0b1d2c3e", _EQUAL),
    Field.MACHINE_ID: _Meaning(_id, "0b1d2c3e", _EQUAL),
    Field.HOST_ID: _Meaning(_account, "17", _EQUAL),
    Field.GPU_NAME: _Meaning(_name, "RTX_4090", _EQUAL | {Relation.CONTAINS}),
    Field.CPU_NAME: _Meaning(_name, "EPYC", frozenset({Relation.CONTAINS, Relation.EQ})),
    Field.NUM_GPUS: _Meaning(_count, "2", _AMOUNT),
    Field.CPU_CORES: _Meaning(_count, "16", _AMOUNT),
    Field.CPU_RAM: _Meaning(_bytes, "64 or 64GiB", _AMOUNT),
    Field.DISK_SPACE: _Meaning(_bytes, "200 or 200GiB", _AMOUNT),
    Field.GPU_RAM: _Meaning(_vram, "24"),
    Field.GPU_TOTAL_RAM: _Meaning(_vram, "96"),
    Field.DPH: _Meaning(_dollars, "0.50"),
    Field.UNIT_PRICE: _Meaning(_dollars, "0.50"),
    Field.MIN_BID: _Meaning(_dollars, "0.20"),
    Field.STORAGE_COST: _Meaning(_dollars, "0.10"),
    Field.INET_COST: _Meaning(_dollars, "0.01"),
    Field.RELIABILITY: _Meaning(_share, "0.99 or 99%"),
    Field.DURATION: _Meaning(_days, "3 (days)"),
    Field.CUDA_VERS: _Meaning(version, "12.4"),
    Field.TOPS: _Meaning(_thousands, "300"),
    Field.GPU_MEM_BW: _Meaning(_thousands, "900 (GB/s)"),
    Field.START_TIME: _Meaning(_thousands, "10 (seconds)"),
    Field.INET_DOWN: _Meaning(_megabits, "500 (Mbit/s)"),
    Field.INET_UP: _Meaning(_megabits, "100 (Mbit/s)"),
    Field.GEOLOCATION: _Meaning(country.country, "DE", _EQUAL),
    Field.REGION: _Meaning(_region, "EU or North_America", _EQUAL),
    Field.VERIFIED: _Meaning(_truth, "true", frozenset({Relation.EQ})),
    Field.RENTED: _Meaning(_truth, "any", frozenset({Relation.EQ})),
    Field.INTERRUPTIBLE: _Meaning(_truth, "true", frozenset({Relation.EQ})),
    Field.RESERVED: _Meaning(_truth, "true", frozenset({Relation.EQ})),
}
