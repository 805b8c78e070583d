// <time datetime="…" data-moment>: the server writes UTC; this says it in the visitor's own time.
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localise(root) {
  for (const element of root.querySelectorAll("time[data-moment]")) {
    element.title = element.textContent;
    element.textContent = format.format(new Date(element.dateTime));
    delete element.dataset.moment;
  }
}

localise(document);
document.addEventListener("htmx:afterSettle", () => localise(document));
document.addEventListener("live:swapped", (event) => localise(event.target));
