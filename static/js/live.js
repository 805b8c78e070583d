// <section data-live="/rentals/…/events" hx-trigger="poll">: keeps the section equal to the server.
// Events say only that it changed, and htmx then asks for it. Where no events get through, it asks
// every few seconds instead, and is marked as data-unheard. Other parts of the page hear what the
// rental uses by "measured".
const FAILURES_MAX = 3;
const AGAIN_MS = 3000;
// The section is nobody's here any more: whoever asks was let go, or it was taken off their list.
const REFUSED = [403, 404];

// One question at a time; what changes meanwhile is asked for once more.
function asker(section) {
  let asking = false;
  let again = false;
  section.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== section) return;
    asking = false;
    const lost = event.detail.failed && !REFUSED.includes(event.detail.xhr.status);
    if (again) ask();
    else if (lost) setTimeout(ask, AGAIN_MS);
  });
  function ask() {
    again = asking;
    if (asking || !window.htmx) return;
    asking = true;
    window.htmx.trigger(section, "poll");
  }
  return ask;
}

// What stands where this was: the same by its id or its words, or the first part of it when that is gone.
function successor(section, was) {
  const alike = Array.from(section.querySelectorAll(was.localName));
  const found = document.getElementById(was.id) ?? alike.find((each) => each.textContent === was.textContent && each.checkVisibility());
  if (found) return found;
  // The section has no box of its own that could be focused; its first part has.
  const first = Array.from(section.querySelectorAll("*")).find((each) => each.checkVisibility());
  first.tabIndex = -1;
  return first;
}

// Whoever reads or types in the section goes on where they were.
function keepPlace(section) {
  let open = [];
  let focused = null;
  section.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== section) return;
    open = Array.from(section.querySelectorAll("details[open][id]"), (details) => details.id);
    focused = section.contains(document.activeElement) ? document.activeElement : null;
  });
  section.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== section) return;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) successor(section, focused).focus({ preventScroll: true });
  });
}

function poll(section, ask) {
  section.dataset.unheard = "";
  let refused = false;
  section.addEventListener("htmx:responseError", (event) => {
    refused ||= REFUSED.includes(event.detail.xhr.status);
  });
  const timer = setInterval(() => {
    const over = refused || !section.isConnected || section.querySelector("[data-settled]");
    if (over) clearInterval(timer);
    else ask();
  }, AGAIN_MS);
}

function attach(section) {
  if (section.querySelector("[data-settled]")) return;
  const ask = asker(section);
  keepPlace(section);
  let source = null;
  let failures = 0;
  let timer = null;
  let over = false;
  function hush() {
    over = true;
    source.close();
  }
  function hear() {
    source = new EventSource(section.dataset.live);
    source.addEventListener("open", () => {
      failures = 0;
    });
    source.addEventListener("changed", (event) => {
      // As many milliseconds as all pages that were told together may take to ask.
      timer ??= setTimeout(() => {
        timer = null;
        ask();
      }, Math.random() * Number(event.data));
    });
    source.addEventListener("measured", (event) => {
      const detail = JSON.parse(event.data);
      section.dispatchEvent(new CustomEvent("measured", { bubbles: true, detail }));
    });
    source.addEventListener("settled", hush);
    source.addEventListener("error", () => {
      failures += 1;
      if (failures < FAILURES_MAX && source.readyState !== EventSource.CLOSED) return;
      hush();
      poll(section, ask);
    });
  }
  // Over HTTP/1.1 a browser has six connections to a site for all its tabs, and each stream holds one.
  document.addEventListener("visibilitychange", () => {
    if (over) return;
    source?.close();
    if (document.hidden) return;
    hear();
    ask();
  });
  if (!document.hidden) hear();
}

for (const section of document.querySelectorAll("[data-live]")) attach(section);
