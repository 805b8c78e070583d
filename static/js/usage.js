// <div data-charts="/rentals/…/usage.json">: asks what a rental used in the last hour and adds what
// live.js hears; where it hears nothing, this asks every ten seconds. Each time the element is told
// "usage", for charts.js to draw.
const EVERY_MS = 10000;
const SPAN_S = 3600;
// After more than two readings' time some were missed.
const GAP_S = 25;
const COLUMNS = ["at", "cpu", "memory", "disk", "received", "sent", "cost"];
const place = document.querySelector("[data-charts]");
let known = null;

const tell = () => place.dispatchEvent(new CustomEvent("usage", { detail: known }));

async function ask() {
  if (document.hidden || !place.checkVisibility()) return;
  const reply = await fetch(place.dataset.charts, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!reply?.ok) return;
  known = await reply.json();
  if (known.at.length) tell();
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

let late = null, incidents = null;
document.addEventListener("measured", ({ detail }) => {
  // A whole site of pages may have missed the same: they ask one after another.
  if (!add(detail)) late ??= setTimeout(() => ask().then(() => (late = null)), known?.at.length ? Math.random() * EVERY_MS : 0);
  const outdated = incidents !== null && incidents !== detail.incidents;
  if (outdated || document.querySelector("#usage [data-none]")) renewWords();
  incidents = detail.incidents;
});

// What went wrong, in words.
const renewWords = () => window.htmx?.trigger("#usage", "renew");

function askAlways() {
  const timer = setInterval(() => {
    if (document.querySelector("[data-settled]")) clearInterval(timer);
    else if (!document.hidden) ask().then(renewWords);
  }, EVERY_MS);
  document.addEventListener("visibilitychange", ask);
}

if (document.querySelector("[data-unheard]")) askAlways();
else document.addEventListener("unheard", askAlways);
ask();
