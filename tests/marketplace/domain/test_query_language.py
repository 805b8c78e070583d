"""A search as people write it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marketplace.domain.offer_query import Condition, Field, OfferQuery, Relation
from marketplace.domain.query_language import ALIASES, INSTEAD, Query, QueryInvalid, parse

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "field", "relation", "values"),
    [
        ("gpu_name=RTX_4090", Field.GPU_NAME, "=", ("RTX_4090",)),
        ('gpu_name == "RTX 4090"', Field.GPU_NAME, "=", ("RTX 4090",)),
        ("gpu_name in [A100, 'H100 NVL']", Field.GPU_NAME, "in", ("A100", "H100 NVL")),
        ("GPU_NAME NOTIN [A100]", Field.GPU_NAME, "notin", ("A100",)),
        ("gpu_name not in [A100]", Field.GPU_NAME, "notin", ("A100",)),
        ("gpu_name Not\t In[A100]", Field.GPU_NAME, "notin", ("A100",)),
        (
            "gpu_name\N{NO-BREAK SPACE}not\N{NO-BREAK SPACE}in [A100]",
            Field.GPU_NAME,
            "notin",
            ("A100",),
        ),
        ("gpu_name~4090", Field.GPU_NAME, "~", ("4090",)),
        ("num_gpus>=2", Field.NUM_GPUS, ">=", (2,)),
        ("num_gpus >= 2", Field.NUM_GPUS, ">=", (2,)),
        ("gpu_ram>=24", Field.GPU_RAM, ">=", (24 * GIB,)),
        ("gpu_ram>=24GB", Field.GPU_RAM, ">=", (24 * 10**9,)),
        ("cpu_ram>64", Field.CPU_RAM, ">", (64 * 10**9,)),
        ("disk_space>=1.5TiB", Field.DISK_SPACE, ">=", (3 * (1 << 39),)),
        ("dph<0.5", Field.DPH, "<", (500_000,)),
        ("dph_total<=$0.50", Field.DPH, "<=", (500_000,)),
        ("reliability>0.98", Field.RELIABILITY, ">", (980_000,)),
        ("reliability>=99.5%", Field.RELIABILITY, ">=", (995_000,)),
        ("duration>=0.5", Field.DURATION, ">=", (43_200,)),
        ("cuda_vers>=12.4", Field.CUDA_VERS, ">=", (12_004,)),
        ("cuda_vers>=12.10", Field.CUDA_VERS, ">=", (12_010,)),
        ("tops>=300", Field.TOPS, ">=", (300_000,)),
        ("gpu_mem_bw>900.5", Field.GPU_MEM_BW, ">", (900_500,)),
        ("start_time<10", Field.START_TIME, "<", (10_000,)),
        ("verified=false", Field.VERIFIED, "=", (0,)),
        ("verified=any", Field.VERIFIED, "in", (0, 1)),
        ("inet_down>=500", Field.INET_DOWN, ">=", (500,)),
        ("inet_up<100.0", Field.INET_UP, "<", (100,)),
        ("geolocation=de", Field.GEOLOCATION, "=", ("DE",)),
        ("geolocation in [SE, DE]", Field.GEOLOCATION, "in", ("SE", "DE")),
        ("region=EU", Field.REGION, "=", ("EU",)),
        ("region notin [North_America,asia]", Field.REGION, "notin", ("NA", "AS")),
        ("interruptible=true", Field.INTERRUPTIBLE, "=", (1,)),
        ("reserved=no", Field.RESERVED, "=", (0,)),
        ("cpus=4", Field.CPU_CORES, "=", (4,)),
        ("gpu_total_ram>=96", Field.GPU_TOTAL_RAM, ">=", (96 * GIB,)),
        ("host_id notin [17,4]", Field.HOST_ID, "notin", (17, 4)),
        ("machine_id!=0B1D2C3E", Field.MACHINE_ID, "!=", ("0b1d2c3e",)),
        ("id notin [0b1d2c3e-0000-4000]", Field.ID, "notin", ("0b1d2c3e00004000",)),
    ],
)
def test_a_condition_is_read(
    text: str, field: Field, relation: str, values: tuple[int | str, ...]
) -> None:
    (found,) = parse(text).conditions
    assert (found.field, found.relation.value, found.values) == (field, relation, values)


def test_conditions_and_words_stand_beside_each_other() -> None:
    found = parse("epyc gpu_name=RTX_4090 num_gpus>=2, dph<0.5 rtx_pro")
    assert found.words == ("epyc", "rtx pro")
    assert [one.field for one in found.conditions] == [Field.GPU_NAME, Field.NUM_GPUS, Field.DPH]


@pytest.mark.parametrize(
    "text", ["", "   ", "gpu_name=any", "rentable=true", "rentable=yes external=no"]
)
def test_what_every_offer_fulfils_asks_for_nothing(text: str) -> None:
    assert parse(text) == Query()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gpu_nam=H100", "Offers have no gpu_nam. Do you mean gpu_name?"),
        ("colour=red", "Offers have no colour. There are id, machine_id, host_id, gpu_name,"),
        ("machine_id notin [17]", "“17” is no machine_id; write it like 0b1d2c3e."),
        ("machine_id>0b1d2c3e", "machine_id takes =, !=, in, notin, not “>”."),
        ("host_id=me", "“me” is no host_id; write it like 17."),
        ("host_id=9999999999999999999", "is no host_id"),
        ("gpu_total_ram>=lots", "“lots” is no gpu_total_ram; write it like 96."),
        ("geolocation=XX", "“XX” is no geolocation; write it like DE."),
        ("geolocation=Germany", "“Germany” is no geolocation"),
        ("geolocation>=DE", "geolocation takes =, !=, in, notin, not “>=”."),
        ("region=Atlantis", "“Atlantis” is no region; write it like EU or North_America."),
        ("inet_down>=0.5", "“0.5” is no inet_down; write it like 500 (Mbit/s)."),
        ("inet_up>=1e9", "“1e9” is no inet_up"),
        ("interruptible=any reserved=2", "“2” is no reserved; write it like true."),
        ("num_gpus>=two", "“two” is no num_gpus; write it like 2."),
        ("num_gpus!=2", "num_gpus takes =, <, <=, >, >=, in, not “!=”."),
        ("gpu_name>=H100", "gpu_name takes =, !=, in, notin, ~, not “>=”."),
        ("dph<cheap", "“cheap” is no dph; write it like 0.50."),
        ("dph<-1", "“-1” is no dph; write it like 0.50."),
        ("dph<1,5", "“1,5” is no dph"),
        ("dph<NaN", "“NaN” is no dph"),
        ("dph<1e9", "“1e9” is no dph"),
        ("dph<9999999999", "“9999999999” is no dph"),
        ("reliability>2", "“2” is no reliability; write it like 0.99 or 99%."),
        ("gpu_ram>=999999999TB", "is no gpu_ram"),
        ("num_gpus>=٣", "is no num_gpus"),
        ("num_gpus=[1,2]", "for several write num_gpus in [a,b]"),
        ("gpu_name in [A100,,]", "is no list; write [a,b]"),
        ("gpu_name in [A100", "is not understood"),
        ("gpu_name in [" + ",".join(["A"] * 51) + "]", "50 values at most"),
        ("num_gpus>=", "“num_gpus>=” is not understood"),
        (">=2", "“>=2” is not understood"),
        ('"', "is not understood"),
        ("rentable=false", "Every offer here has rentable=true; leave rentable out."),
        ("a " * 21, "20 conditions and words at most"),
        ("a" * 501, "500 characters at most"),
    ],
)
def test_what_is_not_understood_is_named_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(QueryInvalid) as refused:
        parse(text)
    assert sentence in refused.value.detail


#: searches of Vast.ai's documentation, and what is said of those that are none here. Source:
#: docs.vast.ai, cli/reference/search-offers, and vast-ai/vast-cli, read 2026-08-07
VAST = [
    ("gpu_name=RTX_4090 num_gpus=1 reliability>0.98 geolocation in [SE,DE]", ""),
    ("reliability > 0.98 num_gpus=1 gpu_name=RTX_3090 rented=False", ""),
    ("reliability > 0.99 num_gpus >= 4 verified=False rented=any", ""),
    ("gpu_name = RTX_4090 geolocation notin [CN,VN] disk_space>=100 inet_down>100", ""),
    ("machine_id notin [0b1d2c3e,1c2d3e4f] host_id notin [17,18] rentable=true", ""),
    ("cuda_vers>=12.1 gpu_ram>=24 gpu_total_ram>=48 cpu_ram>64 dph_total<=2.5 external=false", ""),
    ("cpu_cores_effective>=8 inet_up>=100 inet_down_cost<0.01 duration>3 min_bid<0.2", ""),
    ("compute_cap > 610 total_flops < 5", "no compute_cap: name the GPUs: gpu_name in"),
    ("dlperf>20", "no dlperf: use tops,"),
    ("dlperf_usd>100", "no dlperf_usd: sort by value"),
    ("driver_version>=535.86.05", "no driver_version: use cuda_vers,"),
    ("pcie_bw>10", "no pcie_bw: use gpu_mem_bw,"),
    ("direct_port_count>=5", "no direct_port_count: leave it out,"),
    ("disk_bw>500", "no disk_bw: use disk_space,"),
    ("cpu_ghz>3", "no cpu_ghz: name the CPU: cpu_name~EPYC."),
    ("datacenter=true", "no datacenter: use reliability,"),
    ("static_ip=true", "no static_ip: leave it out,"),
]


@pytest.mark.parametrize("text", [text for text, said in VAST if not said])
def test_a_search_for_vast_is_read(text: str) -> None:
    assert parse(text).conditions


@pytest.mark.parametrize(("text", "said"), [one for one in VAST if one[1]])
def test_what_nobody_measures_is_refused_with_what_to_use_instead(text: str, said: str) -> None:
    with pytest.raises(QueryInvalid) as refused:
        parse(text)
    assert said in refused.value.detail
    assert (refused.value.detail.count(". "), refused.value.detail[-1]) == (0, ".")


def test_what_to_use_instead_is_there() -> None:
    assert not INSTEAD.keys() & {*Field, *ALIASES}


@given(text=st.text(max_size=80))
@example(text="gpu_name in []")
@example(text="gpu_name \N{LATIN SMALL LETTER DOTLESS I}n [A100]")
@example(text="a=" + "[" * 40)
@example(text="x" * 499 + "=")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except QueryInvalid as refused:
        assert refused.detail.endswith((".", "?"))  # noqa: PT017 (the sentence is what is tested)
    else:
        assert len(found.words) + len(found.conditions) <= 20


def test_what_is_asked_for_is_what_a_price_is_asked_of() -> None:
    written = parse("num_gpus>1 cpu_cores=8 cpu_ram<=64")
    asked = OfferQuery(conditions=written.conditions).asked
    assert asked is not None
    assert (asked.gpus, asked.cpus, asked.memory_bytes, asked.disk_bytes) == (2, 8, 0, 0)


def test_a_condition_that_asks_for_no_amount_has_no_price() -> None:
    assert Condition(Field.NUM_GPUS, Relation.LE, (4,)).least is None
    assert OfferQuery(conditions=parse("dph<1 gpu_name=H100").conditions).asked is None
