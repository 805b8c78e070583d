// The charts show another span than the last hour. Without scripts each link of <nav data-spans>
// leads to the same as a table; usage.js asks for this file when one is chosen first.
const spans = document.querySelector("[data-spans]"), place = document.querySelector("[data-charts]");

export async function choose(chosen) {
  const { span } = chosen.dataset, none = spans.parentElement.querySelector("[data-none-yet]");
  for (const each of spans.children) each.removeAttribute("aria-current");
  chosen.setAttribute("aria-current", "true");
  none.hidden = true;
  place.hidden = false;
  if (span === "hour") {
    delete place.dataset.span;
    place.dispatchEvent(new CustomEvent("hour"));
    return;
  }
  // From here on usage.js keeps what it hears to itself.
  place.dataset.span = span;
  const headers = { Accept: "application/json" };
  const reply = await fetch(`${place.dataset.charts}?span=${span}`, { headers }).catch(() => null);
  const told = reply?.ok ? await reply.json().catch(() => null) : null;
  // Another one may be chosen by now.
  if (place.dataset.span !== span) return;
  if (!told) return void location.assign(chosen.href);
  none.hidden = told.at.length > 0;
  place.hidden = !none.hidden;
  if (told.at.length) place.dispatchEvent(new CustomEvent("usage", { detail: told }));
}
