// <section data-live="/rentals/…/events">: keeps the section equal to what the server sends.
// Server-sent events carry whole fragments. Where they cannot get through, htmx polls instead.
const FAILURES_MAX = 3;
const POLL_EVERY_MS = 3000;

function swap(section, html) {
  const focused = document.activeElement?.id;
  const open = Array.from(section.querySelectorAll("details[open][id]"), (details) => details.id);
  section.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  window.htmx?.process(section);
  if (focused) document.getElementById(focused)?.focus();
  section.dispatchEvent(new CustomEvent("live:swapped", { bubbles: true }));
}

function poll(section) {
  const timer = setInterval(() => {
    if (!section.isConnected || section.querySelector("[data-settled]")) clearInterval(timer);
    else window.htmx?.trigger(section, "poll");
  }, POLL_EVERY_MS);
}

function attach(section) {
  if (section.querySelector("[data-settled]")) return;
  const source = new EventSource(section.dataset.live);
  let failures = 0;
  source.addEventListener("rental", (event) => {
    failures = 0;
    swap(section, event.data);
  });
  source.addEventListener("settled", () => source.close());
  source.addEventListener("error", () => {
    failures += 1;
    if (failures < FAILURES_MAX && source.readyState !== EventSource.CLOSED) return;
    source.close();
    poll(section);
  });
}

for (const section of document.querySelectorAll("[data-live]")) attach(section);
