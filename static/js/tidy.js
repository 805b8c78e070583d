// <form data-tidy>: what is left empty does not go into the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-tidy]")) return;
  const asked = event.detail.parameters;
  for (const name of Object.keys(asked)) if (asked[name] === "") delete asked[name];
});
