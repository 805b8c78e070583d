// Shows what works only with scripts: <button hidden data-needs-script>.
export function reveal(root) {
  for (const element of root.querySelectorAll("[data-needs-script]")) element.hidden = false;
}

reveal(document);
document.addEventListener("htmx:afterSwap", (event) => reveal(event.target.parentElement ?? document));
document.addEventListener("live:swapped", (event) => reveal(event.target));
