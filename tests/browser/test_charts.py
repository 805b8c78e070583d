"""A person sees what their rental used, drawn in the colours of the theme, and reads it as well."""

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.domain.usage import slot_of
from marketplace.domain.usage_summary import Span
from marketplace.rentals.models import Rental
from marketplace.telemetry.models import Incident, Reading, UsageSummary
from tests.browser.audit import problems
from tests.browser.conftest import Enter
from tests.browser.test_terminal import alice, rental

__all__ = ["alice", "rental"]
LATE_MS = 30_000
#: whether the first chart has a line of this colour; a line's edge is as much of it as it covers
DRAWN = """(rgb) => {
  const canvas = document.querySelector(".charts canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    const away = rgb.map((each, place) => Math.abs(data[at + place] - each));
    if (data[at + 3] > 100 && away.every((each) => each < 8)) return true;
  }
  return false;
}"""


def tell(rental: Rental, *numbers: int) -> None:
    """Keep readings, as its machine tells them; number 30 is the one of now."""
    placement, now = rental.placement, timezone.now()
    for number in numbers:
        at = now - timedelta(seconds=10 * (30 - number))
        used = {
            "placement_id": str(placement.id),
            "run": 1,
            "cpu_ms": number * 5000,
            "memory_bytes": 1 << (number if number == 30 else 29),
            "disk_used_bytes": 1 << 28,
            "disk_bytes": 2 << 30,
            "received_bytes": number * 1_000_000,
            "sent_bytes": number * 1_000_000,
            "gpus": [{"uuid": "GPU-1", "busy_percent": 50, "memory_bytes": 1 << 30}],
        }
        content = {"machine": {}, "placements": {str(placement.id): used}}
        Reading.objects.create(
            machine_id=placement.machine_id, slot=slot_of(at), at=at, content=content
        )


def test_a_person_sees_and_reads_what_their_rental_used(
    page: Page, enter: Enter, alice: User, rental: Rental
) -> None:
    tell(rental, *range(30))
    enter(page, alice)
    page.emulate_media(color_scheme="light")
    page.goto(f"/rentals/{rental.id}/")
    charts = page.locator(".charts figure")
    expect(charts).to_have_count(7)
    expect(charts.first).to_contain_text("0.50 of 1.00")
    expect(charts.nth(4)).to_contain_text("In 100.0 kB/s")
    page.wait_for_function(DRAWN, arg=[10, 97, 102])
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function(DRAWN, arg=[98, 210, 198])
    assert problems(page) == []
    page.get_by_role("link", name="1 day").click()
    expect(page.get_by_text("There is nothing of it yet")).to_be_visible()
    UsageSummary.objects.create(
        placement=rental.placement,
        step_s=Span.DAY.step_s,
        at=timezone.now() - timedelta(hours=2),
        content={"n": 30, "cpu_milli": [250, 750], "memory_bytes": [1 << 20, 1 << 20], "gpus": []},
    )
    page.get_by_role("link", name="1 hour").click()
    expect(charts.first).to_contain_text("0.50 of 1.00")
    page.get_by_role("link", name="1 day").click()
    expect(charts.first).to_contain_text("CPU 0.25 at most 0.75")
    assert problems(page) == []
    page.get_by_role("link", name="1 hour").click()
    expect(charts).to_have_count(7)
    page.get_by_role("link", name="The last hour as a table").click()
    expect(page.locator("#hour")).to_contain_text("100.0 kB/s")
    assert problems(page) == []


def test_the_charts_go_on_by_what_the_stream_tells(
    page: Page, enter: Enter, alice: User, rental: Rental
) -> None:
    enter(page, alice)
    tell(rental, *range(30))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.clock.install()
    page.goto(f"/rentals/{rental.id}/")
    memory = page.locator(".charts figure").nth(1)
    expect(memory).to_contain_text("512 MiB of")
    # Nobody asks every few seconds.
    before = asked.count("usage.json"), asked.count("usage")
    page.clock.run_for(50_000)
    assert (asked.count("usage.json"), asked.count("usage")) == before
    tell(rental, 30)
    # On a slow machine it missed some by now, and asks a little later.
    expect(memory).to_contain_text("1.0 GiB of", timeout=LATE_MS)
    incident = Incident.objects.create(
        machine_id=rental.placement.machine_id, incident_id=uuid4(), placement=rental.placement,
        at=timezone.now(), told_at=timezone.now(), kind="out_of_memory", blame="renter",
        sentence="A process was ended: the memory was full.",
    )  # fmt: skip
    Reading.objects.filter(slot=slot_of(timezone.now())).delete()
    tell(rental, 30)
    expect(page.locator("#incidents")).to_contain_text(incident.sentence, timeout=LATE_MS)


def test_where_no_stream_gets_through_the_charts_ask(
    page: Page, enter: Enter, alice: User, rental: Rental
) -> None:
    tell(rental, *range(30))
    enter(page, alice)
    page.route("**/events*", lambda route: route.abort())
    page.clock.install()
    page.goto(f"/rentals/{rental.id}/")
    memory = page.locator(".charts figure").nth(1)
    expect(memory).to_contain_text("512 MiB of")
    tell(rental, 30)
    page.wait_for_selector("[data-unheard]", state="attached")
    page.clock.run_for(11_000)
    expect(memory).to_contain_text("1.0 GiB of")


def test_charts_whose_first_question_was_lost_ask_again(
    page: Page, enter: Enter, alice: User, rental: Rental
) -> None:
    tell(rental, *range(30))
    enter(page, alice)
    page.clock.install()
    page.route("**/usage.json", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed", lambda request: "usage.json" in request.url):
        page.goto(f"/rentals/{rental.id}/")
    page.clock.run_for(11_000)
    expect(page.locator(".charts figure").nth(1)).to_contain_text("512 MiB of")
