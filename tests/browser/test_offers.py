"""Somebody who is new sees in one screen what there is, and narrows it down by a word."""

from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from tests.browser.pictures import keep
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

#: name, GiB, how many, micro-USD an hour, 10^9 int8 operations and 10^6 bytes a second as published
CARDS = (
    ("NVIDIA GeForce RTX 3090", 24, 2, 190_000, 284_000, 936_000),
    ("NVIDIA GeForce RTX 4090", 24, 1, 340_000, 660_000, 1_008_000),
    ("NVIDIA GeForce RTX 4090", 24, 8, 360_000, 660_000, 1_008_000),
    ("NVIDIA L40S", 45, 4, 790_000, 733_000, 864_000),
    ("NVIDIA A100-SXM4-80GB", 80, 8, 1_190_000, 624_000, 2_039_000),
    ("NVIDIA H100 80GB HBM3", 80, 8, 2_150_000, 1_979_000, 3_350_000),
    ("NVIDIA H200", 141, 8, 2_980_000, 1_979_000, 4_800_000),
)


def offer_cards(like: Market) -> None:
    """Offer a machine of each of the cards, which is otherwise like this one."""
    machine, offer = like.machine, like.offer
    for number, (model, gib, gpus, price, int8_gops, bandwidth) in enumerate(CARDS):
        machine.pk, machine._state.adding = uuid4(), True
        machine.machine_key = f"{number:064x}"
        machine.gpu_model, machine.vram_bytes = model, gib * scene.GIB
        machine.gpus_total = machine.gpus_free = gpus
        machine.cpus_total = machine.cpus_free = 16 * gpus
        machine.memory_bytes_total = machine.memory_bytes_free = gpus * 96 * scene.GIB
        machine.cpu_model = "AMD EPYC 9354"
        machine.save()
        offer.pk, offer._state.adding, offer.machine = uuid4(), True, machine
        offer.gpu_model, offer.vram_bytes = model, machine.vram_bytes
        offer.price_gpu_hour_microusd = offer.price_hour_microusd = price
        offer.int8_gops, offer.bandwidth_mb_s = int8_gops, bandwidth
        offer.vram_bytes_proven = machine.vram_bytes * 31 // 32
        offer.value_microusd = price * 1_000_000 // int8_gops
        offer.away_ppm, offer.starts = 130 * number, 40 - number
        offer.start_p50_ms, offer.start_p95_ms = 2_100 + 130 * number, 4_700 + 210 * number
        offer.save()


def test_somebody_sees_what_there_is_and_narrows_it_down(
    page: Page, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "NOW", timezone.now())
    market = Market.open(User.objects.create_user("charlie@example.com"))
    Offer.objects.update(listed=False)
    offer_cards(market)
    Offer.objects.exclude(pk=Offer.objects.get(listed=False).pk).update(listed=True)
    page.goto("/")
    rows = page.locator(".offers tbody tr")
    expect(rows.first).to_contain_text("2 × NVIDIA GeForce RTX 3090")
    expect(page.locator("#numbers")).to_contain_text("39 of 39")
    expect(page.locator("#numbers")).to_contain_text("$0.19")
    keep(page, "home")
    page.goto("/offers/")
    keep(page, "offers")
    expect(rows.nth(5)).to_contain_text("1,979 TOPS each")
    page.get_by_label("Search").fill("gpu_name~RTX num_gpus>=2")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("8 × NVIDIA GeForce RTX 4090")
    assert Machine.objects.count() == len(CARDS) + 1
    fold = page.locator("#more-filters")
    fold.locator("summary").click()
    # Filled in at once, with the fold closed again before anything is asked.
    fold.get_by_label("CPUs").evaluate("each => { each.value = -1; }")
    fold.locator("summary").click()
    page.get_by_label("Search").fill("")
    expect(page.get_by_role("alert")).to_contain_text("CPUs")
