// <button data-copy="#target">: copies the text of the target and says so.
async function write(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // The clipboard of pages served over plain HTTP: a selection and the old command.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.dataset.label ?? button.textContent;
  button.dataset.label = label;
  await write(document.querySelector(button.dataset.copy).textContent.trim());
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
});
