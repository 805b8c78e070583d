"""How people go about: by clicks that are counted, or by keys alone, seeing where they are."""

from playwright.sync_api import Locator, Page, expect

#: how many presses of Tab a page may take until something is reached
TABS_MAX = 90
#: counts presses of a mouse or a finger, over all pages of the window and whosever they are
COUNT = """
addEventListener("pointerdown", (event) => event.isTrusted && clicked(location.origin), true);
"""
#: where the keyboard is, and whether one sees it there
SEEN = """() => {
  const at = document.activeElement;
  if (at === document.body) return "";
  const style = getComputedStyle(at), box = at.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const isSeen = ring && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  return isSeen ? "" : `nobody sees the focus: ${at.outerHTML.slice(0, 120)}`;
}"""


def count_clicks(page: Page) -> list[str]:
    """Begin to count, from the next page on; return the origins that were clicked on so far."""
    clicks: list[str] = []
    page.expose_function("clicked", lambda origin: clicks.append(origin))
    page.add_init_script(COUNT)
    return clicks


def reach(page: Page, goal: Locator) -> None:
    """Go on to this by Tab, and see at each step where one is."""
    expect(goal).to_be_visible()
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        assert page.evaluate(SEEN) == ""
        if goal.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"No Tab leads to {goal}.")


def type_into(page: Page, goal: Locator, text: str) -> None:
    """Write over what a field holds."""
    reach(page, goal)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def press(page: Page, goal: Locator, key: str = "Enter") -> None:
    """Use a link, a button or a fold by a key."""
    reach(page, goal)
    page.keyboard.press(key)
