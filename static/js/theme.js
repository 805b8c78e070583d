// Runs before the first paint, so that a chosen theme never flashes and nothing that only works
// with scripts (.with-scripts) appears late and moves the page.
(() => {
  const root = document.documentElement;
  root.dataset.scripted = "";
  const stored = localStorage.getItem("theme");
  if (stored) root.dataset.theme = stored;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme ?? (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
})();
