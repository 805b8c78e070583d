"""What is wrong with a page for somebody who hears it, tabs through it or reads it on a phone."""

from playwright.sync_api import Page

#: WCAG 2.2, criteria 1.3.1, 1.4.10, 2.4.6, 3.3.2 and 4.1.2, as far as a script can tell
AUDIT = """() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const text = (id) => document.getElementById(id)?.textContent ?? "";
  const name = (each) => [each.ariaLabel, each.title, each.textContent,
    ...(each.getAttribute("aria-labelledby") ?? "").split(" ").map(text),
    ...[...(each.labels ?? [])].map((label) => label.textContent)].join("").trim();
  const levels = all("h1, h2, h3, h4").map((each) => Number(each.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) wrong.push("not one h1");
  levels.forEach((level, at) => {
    if (level > (levels[at - 1] ?? 0) + 1) wrong.push(`h${level} after h${levels[at - 1] ?? 0}`);
  });
  for (const each of all("input:not([type=hidden]), select, textarea, button, summary, a, meter"))
    if (!name(each)) wrong.push(`no name: ${each.outerHTML.slice(0, 80)}`);
  const ids = all("[id]").map((each) => each.id);
  ids.forEach((id, at) => { if (ids.indexOf(id) !== at) wrong.push(`twice: #${id}`); });
  for (const attribute of ["aria-labelledby", "aria-describedby", "for", "form"])
    for (const each of all(`[${attribute}]`))
      for (const id of each.getAttribute(attribute).split(" "))
        if (!ids.includes(id)) wrong.push(`${attribute} of nothing: ${id}`);
  for (const each of all("th:not([scope])")) wrong.push(`no scope: ${each.textContent}`);
  for (const each of all("main *")) {
    const box = each.getBoundingClientRect();
    const scrolls = ["svg, input, select, textarea, thead",
      ".shell, .table-scroll, .terminal, .unseen"];
    if (each.closest(scrolls.join(", ")) || box.width <= 1 || !each.checkVisibility()) continue;
    // What does not fit into its own box is cut off, or lies over its neighbour.
    if (box.right > innerWidth + 1 || (each.clientWidth && each.scrollWidth > each.clientWidth + 1))
      wrong.push(`too wide: ${each.outerHTML.slice(0, 120)}`);
  }
  return wrong;
}"""


def problems(page: Page) -> list[str]:
    """Return what is wrong with the page as it is now."""
    return [f"{page.url}: {each}" for each in page.evaluate(AUDIT)]
