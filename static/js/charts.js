// <div data-charts>: what a rental used in the last hour, or in the span that spans.js asked for,
// drawn whenever either says "usage". The same is a table on a page of its own.
const SPAN_S = 3600;
const HEIGHT = 110;
const place = document.querySelector("[data-charts]"), charts = [];
let known = null;

function size(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const digits = power && bytes / 1024 ** power < 10 ? 1 : 0;
  return `${(bytes / 1024 ** power).toFixed(digits)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function pace(bytes) {
  const power = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${["B", "kB", "MB", "GB"][power]}/s`;
}

const dollars = (number) => `$${number.toFixed(number < 10 ? 4 : 2)}`;
// Ticks of sizes that are round in the words of sizes.
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const percent = (number) => `${Math.round(number)} %`;
const cores = (number) => number.toFixed(2);

// A custom property that differs between light and dark is known to an element alone.
function colour(name) {
  const probe = place.querySelector("[data-probe]");
  probe.className = `ink-${name}`;
  return getComputedStyle(probe).color;
}

function wanted(told) {
  const gpus = told.gpus.map((gpu, number) => [`GPU ${number + 1}`, gpu]);
  const lines = (key) => gpus.map(([name, gpu]) => [name, gpu[key]]);
  // Of a longer span lines are averages, and the most of any ten seconds is a line beside.
  const line = (name, key) => [[name, told[key]], ...(told[`${key}_most`] ? [["at most", told[`${key}_most`]]] : [])];
  const all = [
    ["CPU, cores", cores, told.cpus_max, line("CPU", "cpu")],
    ["Memory", size, told.memory_max, line("Memory", "memory")],
    ["GPU busy", percent, 100, lines("busy")],
    ["GPU memory", size, null, lines("memory")],
    ["Network", pace, null, [["In", told.received], ["Out", told.sent]]],
    ["Disk", size, told.disk_max, [["Disk", told.disk]]],
    ["Cost so far", dollars, null, [["Cost", told.cost]]],
  ];
  return all.filter(([, , , each]) => each.some(([, column]) => column.some((one) => one !== null)));
}

function caption(chart, at) {
  const several = chart.lines.length > 1;
  const said = chart.lines.map(([name, column], number) => {
    const each = document.createElement("span"), shown = column[at];
    const value = shown === null || shown === undefined ? "–" : chart.words(shown);
    each.className = several ? `ink-${number % 4}` : "muted";
    each.textContent = several ? `${name} ${value} ` : value;
    return each;
  });
  chart.said.replaceChildren(...said);
  if (!several && chart.most !== null) chart.said.append(` of ${chart.words(chart.most)}`);
}

function axis(more) {
  const font = `11px ${getComputedStyle(place).fontFamily}`, grid = { stroke: () => colour("grid"), width: 1 };
  return { stroke: () => colour("muted"), font, grid, ticks: { show: false }, ...more };
}

function draw(told, [name, words, most, lines]) {
  const figure = place.appendChild(document.createElement("figure"));
  const head = figure.appendChild(document.createElement("figcaption"));
  head.append(name, " ");
  const said = head.appendChild(document.createElement("span"));
  said.className = "number muted";
  const chart = { name, words, most, lines, said };
  const series = lines.map(([label], at) => ({
    label, width: 1.5, stroke: () => colour(at % 4), points: { show: false },
  }));
  const options = {
    width: figure.clientWidth, height: HEIGHT, series: [{}, ...series],
    legend: { show: false }, cursor: { sync: { key: "usage" }, y: false },
    axes: [axis({ size: 22 }), axis({ size: 62, values: (_, ticks) => ticks.map(words), space: 34, ...(words === size && { incrs: POWERS }) })],
    scales: {
      x: { range: () => [Date.now() / 1000 - (known.span_s ?? SPAN_S), Date.now() / 1000] },
      y: { range: (_, low, high) => [0, most ?? (high || 1) * 1.1] },
    },
    hooks: { setCursor: [(plot) => caption(chart, plot.cursor.idx ?? known.at.length - 1)] },
  };
  // The caption says the newest number; who cannot see the rest reads the table.
  const canvas = figure.appendChild(document.createElement("div"));
  canvas.setAttribute("aria-hidden", "true");
  chart.plot = new window.uPlot(options, [told.at, ...lines.map(([, column]) => column)], canvas);
  new ResizeObserver(() => chart.plot.setSize({ width: figure.clientWidth, height: HEIGHT })).observe(figure);
  charts.push(chart);
  caption(chart, told.at.length - 1);
}

function renew({ detail }) {
  const other = known?.span_s !== detail.span_s;
  known = detail;
  const newest = document.querySelector("[data-newest]");
  newest.hidden = Boolean(known.span_s);
  newest.querySelector("span").textContent = new Date(known.at.at(-1) * 1000).toLocaleTimeString();
  const found = wanted(known);
  if (other || found.length !== charts.length) {
    for (const chart of charts.splice(0)) chart.plot.root.closest("figure").remove();
    for (const each of found) draw(known, each);
    return;
  }
  charts.forEach((chart, at) => {
    chart.lines = found[at][3];
    chart.plot.setData([known.at, ...chart.lines.map(([, column]) => column)]);
    if (chart.plot.cursor.idx === null || chart.plot.cursor.idx === undefined) caption(chart, known.at.length - 1);
  });
}

const redraw = () => charts.forEach((chart) => chart.plot.redraw());
document.addEventListener("click", (event) => event.target.closest("[data-theme-toggle]") && redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
place.addEventListener("usage", renew);
