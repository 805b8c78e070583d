// <div data-terminal="/rentals/…/terminal/socket">: a shell in the rental, by WebSocket.
// Bytes are what is typed and shown; JSON tells of sizes, of what was shown, and of the end.
const CHUNK_BYTES = 16384;
const ACK_BYTES = 65536;
const TRIES_MAX = 5;
const encoder = new TextEncoder();

const place = document.querySelector("[data-terminal]");
const status = document.getElementById("terminal-status");
const again = document.getElementById("terminal-again");
const aloud = document.getElementById("terminal-aloud");
const after = document.getElementById("terminal-after");
const colour = (name) => getComputedStyle(place).getPropertyValue(name).trim();

const terminal = new window.Terminal({
  cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  fontFamily: colour("--font-fixed"),
  fontSize: 14,
  minimumContrastRatio: 4.5,
  scrollback: 5000,
  screenReaderMode: localStorage.getItem("terminal-aloud") === "1",
  theme: {
    background: colour("--terminal"),
    foreground: colour("--terminal-ink"),
    cursor: colour("--terminal-ink"),
    selectionBackground: colour("--terminal-line"),
  },
});
const fit = new window.FitAddon.FitAddon();
let socket = null;
let tries = 0;
let unacknowledged = 0;

function tell(told) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(told));
}

function type(bytes) {
  for (let at = 0; at < bytes.length && socket?.readyState === WebSocket.OPEN; at += CHUNK_BYTES)
    socket.send(bytes.subarray(at, at + CHUNK_BYTES));
}

function say(state, words) {
  place.dataset.state = state;
  status.textContent = words;
  again.hidden = state !== "closed";
}

function show(content) {
  terminal.write(new Uint8Array(content), () => {
    unacknowledged += content.byteLength;
    if (unacknowledged < ACK_BYTES) return;
    tell({ type: "ack", bytes: unacknowledged });
    unacknowledged = 0;
  });
}

function ended(end) {
  if ((end && !end.again) || tries >= TRIES_MAX) {
    say("closed", end?.sentence || "The connection to the site was lost.");
    return;
  }
  const wait = 1000 * 2 ** tries;
  tries += 1;
  say("waiting", `${end?.sentence || "The connection was lost."} Trying again in ${wait / 1000} s.`);
  setTimeout(connect, wait);
}

function connect() {
  let end = null;
  const opened = new WebSocket(place.dataset.terminal);
  socket = opened;
  unacknowledged = 0;
  opened.binaryType = "arraybuffer";
  say("connecting", "Logging in to the rental …");
  opened.addEventListener("open", () =>
    tell({ type: "open", columns: terminal.cols, rows: terminal.rows }),
  );
  opened.addEventListener("message", (event) => {
    if (typeof event.data !== "string") return show(event.data);
    const told = JSON.parse(event.data);
    if (told.type === "end") end = told;
    if (told.type !== "state") return undefined;
    tries = 0;
    // Of a shell before it nothing goes on: each log-in is a new one.
    terminal.reset();
    terminal.focus();
    return say("open", "Connected.");
  });
  opened.addEventListener("close", () => ended(end));
}

terminal.loadAddon(fit);
terminal.open(place);
terminal.textarea.setAttribute("aria-label", "Terminal of the rental");
terminal.textarea.setAttribute("aria-describedby", "terminal-keys");
terminal.onData((text) => type(encoder.encode(text)));
terminal.onBinary((text) => type(Uint8Array.from(text, (each) => each.charCodeAt(0))));
terminal.onResize(({ cols, rows }) => tell({ type: "resize", columns: cols, rows }));
terminal.attachCustomKeyEventHandler((event) => {
  if (!event.ctrlKey || !event.shiftKey || event.type !== "keydown") return true;
  if (event.key === "ArrowDown") after.focus();
  else if (event.code === "KeyC" && terminal.hasSelection())
    navigator.clipboard?.writeText(terminal.getSelection());
  else return true;
  event.preventDefault();
  return false;
});
aloud.checked = terminal.options.screenReaderMode;
aloud.addEventListener("change", () => {
  terminal.options.screenReaderMode = aloud.checked;
  localStorage.setItem("terminal-aloud", aloud.checked ? "1" : "0");
});
again.addEventListener("click", () => {
  tries = 0;
  connect();
});
new ResizeObserver(() => fit.fit()).observe(place);
document.fonts.ready.then(() => fit.fit()).then(connect);
