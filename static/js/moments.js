// <time datetime="…" data-moment>: the server writes UTC; this says it in the visitor's own time.
// <time datetime="…" data-countdown>: says how long it is until then, each second.
const moment = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const thisYear = new Intl.DateTimeFormat(undefined, moment);
const anyYear = new Intl.DateTimeFormat(undefined, { ...moment, year: "numeric" });
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function localise(root) {
  for (const element of root.querySelectorAll('time[data-moment]:not([datetime=""])')) {
    const at = new Date(element.dateTime);
    const format = at.getFullYear() === new Date().getFullYear() ? thisYear : anyYear;
    element.title = element.textContent;
    element.textContent = format.format(at);
    delete element.dataset.moment;
  }
  countDown(root);
}

// The two largest units, as marketplace/pages/wording.py writes a duration.
function duration(milliseconds) {
  let rest = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = UNITS.map(([length, unit]) => {
    const count = Math.floor(rest / length);
    rest %= length;
    return [count, unit];
  });
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map((part) => part.join(" ")).join(" ");
}

function countDown(root) {
  for (const element of root.querySelectorAll("time[data-countdown]")) {
    element.textContent = duration(new Date(element.dateTime) - Date.now());
  }
}

localise(document);
setInterval(() => countDown(document), 1000);
document.addEventListener("htmx:afterSettle", () => localise(document));
