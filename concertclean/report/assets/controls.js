/* Buttons and keys that both pages share. */

function byId(id) { return document.getElementById(id); }

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  node.append(...children);
  return node;
}

/** Runs `act` on a click. After a click by mouse or finger the focus returns to the page, for the keys. */
function onPress(button, act) {
  button.addEventListener("click", (event) => {
    if (event.detail > 0) button.blur();
    act(event);
  });
}

function setPressed(button, isPressed) { button.setAttribute("aria-pressed", String(isPressed)); }

/** Offers a Blob as a download. */
function offer(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Shows what a slider from 0 to 100 is set to. */
function showPercent(id) {
  const { value } = byId(id);
  byId(id).setAttribute("aria-valuetext", `${value} percent`);
  const text = byId(`${id}-text`);
  if (text) text.textContent = `${value}\u00a0%`;
}

/** The volume slider, whose place is remembered where the browser allows it. */
function connectVolume(player, slider) {
  const apply = () => {
    player.volume = (slider.value / 100) ** 2; // even steps for the ear
    showPercent(slider.id);
  };
  try { slider.value = localStorage.getItem("concertclean volume") ?? slider.value; } catch { /* not allowed */ }
  slider.addEventListener("input", () => {
    apply();
    try { localStorage.setItem("concertclean volume", slider.value); } catch { /* not allowed */ }
  });
  apply();
}

/** Calls `keys[name]` for a key, unless the user is typing or a focused button needs the key itself. */
function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input:not([type='range']), textarea, select")) return;
    if (target.matches("button, summary, a") && [" ", "Enter"].includes(event.key)) return;
    if (target.matches("input[type='range']:not(.seek)") && isSliderKey(event.key)) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}

function isSliderKey(key) { return key.startsWith("Arrow") || key.startsWith("Page") || ["Home", "End"].includes(key); }

/** Keeps the play button, the seek bar and the time in step with the player. */
function showProgress(player, { play, seek, time, start = () => 0, draw = () => {} }) {
  const update = () => {
    const { position, duration, isPlaying } = player;
    play.classList.toggle("is-playing", isPlaying);
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    seek.max = duration || 1;
    seek.value = position;
    seek.setAttribute("aria-valuetext", `${clock(start() + position)} of ${clock(start() + duration)}`);
    time.textContent = `${clock(start() + position)} / ${clock(start() + duration)}`;
    draw();
  };
  let isRunning = false;
  const run = () => {
    update();
    isRunning = player.isPlaying;
    if (isRunning) requestAnimationFrame(run);
  };
  player.addEventListener("change", () => (isRunning ? update() : run()));
  onPress(play, () => player.toggle());
  seek.addEventListener("input", () => player.seek(Number(seek.value)));
}
