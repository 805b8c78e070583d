// <div data-charts="/rentals/…/usage.json">: asks what a rental used in the last hour and adds what
// live.js hears; where it hears nothing, this asks every ten seconds. Each time the element is told
// "usage", for charts.js to draw.
const EVERY_MS = 10000;
// So long nothing was heard: it is stopped, or its machine is silent, and what is known gets older.
const SILENT_MS = 60000;
const SPAN_S = 3600;
// Readings are ten seconds apart: after so long at least one was missed.
const GAP_S = 25;
const COLUMNS = ["at", "cpu", "memory", "disk", "received", "sent", "cost"];
const place = document.querySelector("[data-charts]");
let known = null, late = null, incidents = 0, heard = Date.now(), refused = false;

const polls = () => document.querySelector("[data-unheard]") !== null;
// Not while spans.js shows more than the hour.
const tell = () => place.dataset.span || place.dispatchEvent(new CustomEvent("usage", { detail: known }));
// What went wrong, in words.
const renewWords = () => refused || window.htmx?.trigger("#usage", "renew");

async function ask() {
  if (refused || document.hidden || !place.checkVisibility()) return;
  const reply = await fetch(place.dataset.charts, { headers: { Accept: "application/json" } }).catch(() => null);
  // Nobody's here any more, or logged out.
  refused = reply !== null && (reply.redirected || [403, 404].includes(reply.status));
  if (refused || !reply?.ok) return;
  known = await reply.json().catch(() => known);
  if (known?.at.length) tell();
}

// Adds the newest point; false: it does not go on where the others end.
function add(point) {
  const last = known?.at.at(-1);
  if (!last || point.at - last > GAP_S || point.gpus.length > known.gpus.length) return false;
  if (point.at <= last) return true;
  const columns = COLUMNS.map((name) => [known[name], point[name]]);
  known.gpus.forEach((gpu, at) => {
    for (const name of ["busy", "memory"]) columns.push([gpu[name], point.gpus[at]?.[name] ?? null]);
  });
  const old = known.at.findIndex((at) => at > point.at - SPAN_S);
  for (const [column, value] of columns) {
    column.push(value);
    column.splice(0, old);
  }
  tell();
  return true;
}

document.addEventListener("measured", ({ detail }) => {
  heard = Date.now();
  // A whole site of pages may have missed the same: they ask one after another.
  if (!add(detail)) late ??= setTimeout(() => ask().finally(() => (late = null)), known?.at.length ? Math.random() * EVERY_MS : 0);
  if (incidents !== detail.incidents || document.querySelector("#usage [data-none]")) renewWords();
  incidents = detail.incidents;
});
document.querySelector("[data-spans]").addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-span]");
  if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  import(event.currentTarget.dataset.spans).then(({ choose }) => choose(chosen));
});
place.addEventListener("hour", () => (known?.at.length ? tell() : ask()));
// What a tab that nobody saw was not told.
document.addEventListener("visibilitychange", ask);
setInterval(() => {
  if (refused || document.hidden || document.querySelector("[data-settled]")) return;
  // Whose first question was lost knows nothing yet, and asks again.
  if (known && !polls() && Date.now() - heard < SILENT_MS) return;
  heard = Date.now();
  ask().then(renewWords);
}, EVERY_MS);
ask();
