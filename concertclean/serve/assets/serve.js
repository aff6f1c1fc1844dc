/* The page: the queue, one recording of it, its sound, and saving. */
const OWN_CHAIN = "own";
const DEFAULT_DB = 26;

const player = new Player();
const state = { jobs: [], id: null, shown: null, sending: [], options: null, version: "after", isMatched: true, isStack: false, view: null, levels: null, peaks: null, marked: null, listed: null, tuned: null };
let deck = null;
let drawing = 0;

function current() { return state.jobs.find((job) => job.id === state.id) || null; }

function say(text) {
  byId("message").hidden = !text;
  byId("message").textContent = text;
}

/** Runs a request; what the server refuses is shown. */
async function attempt(act) {
  try {
    say("");
    await act();
  } catch (error) {
    say(error.message);
  }
}

/* The queue. */

async function refresh() {
  const { jobs } = await ask("GET", "/api/jobs");
  announce(state.jobs, jobs);
  state.jobs = jobs;
  if (!current()) state.id = jobs.length ? jobs[jobs.length - 1].id : null;
  if (location.hash.slice(1) !== (state.id || "")) history.replaceState(null, "", `#${state.id || ""}`);
  showQueue();
  showJob();
}

/** What has ended since the last look, for those who listen to the page. */
function announce(before, now) {
  const was = new Map(before.map((job) => [job.id, job.state]));
  const ended = now.filter((job) => ["waiting", "running"].includes(was.get(job.id)) && !["waiting", "running"].includes(job.state));
  if (ended.length) byId("announcement").textContent = ended.map((job) => `${job.name}: ${stateOf(job)}`).join(". ");
}

async function follow() {
  try {
    await refresh();
    if (byId("app").dataset.lost) say("");
    delete byId("app").dataset.lost;
  } catch (error) {
    byId("app").dataset.lost = "true";
    say(`The server cannot be reached (${error.message}). Start it again; nothing is lost.`);
  }
  const isBusy = state.sending.length || state.jobs.some((job) => ["waiting", "running"].includes(job.state));
  setTimeout(follow, isBusy ? 400 : 3000);
}

function showQueue() {
  const list = byId("recordings");
  const entries = [
    ...state.sending.map((one) => ({ id: "", name: one.name, state: `Sending: ${Math.round(100 * one.share)}\u00a0%`, share: one.share })),
    ...[...state.jobs].reverse().map((job) => ({ id: job.id, name: job.name, state: stateOf(job), share: job.progress?.share ?? null })),
  ];
  while (list.children.length > entries.length) list.lastChild.remove();
  while (list.children.length < entries.length) {
    const button = element("button", { type: "button" }, element("span"), element("small"));
    onPress(button, () => button.dataset.id && choose(button.dataset.id));
    list.append(button);
  }
  entries.forEach((entry, i) => {
    const button = list.children[i];
    button.dataset.id = entry.id;
    button.disabled = !entry.id;
    button.firstChild.textContent = entry.name;
    button.lastChild.textContent = entry.state;
    button.setAttribute("aria-current", String(entry.id !== "" && entry.id === state.id));
  });
}

function choose(id) {
  state.id = id;
  history.replaceState(null, "", `#${id}`);
  say("");
  showQueue();
  showJob();
  byId("name").focus({ preventScroll: true });
}

async function add(files) {
  for (const file of files) {
    const one = { name: file.name, share: 0 };
    state.sending.push(one);
    showQueue();
    try {
      const upload = await send(file, (share) => { one.share = share; showQueue(); });
      const job = await ask("POST", "/api/jobs", { upload });
      state.id = job.id;
    } catch (error) {
      say(error.message);
    } finally {
      state.sending.splice(state.sending.indexOf(one), 1);
    }
    await attemptQuietly(refresh);
  }
}

async function attemptQuietly(act) {
  try { await act(); } catch { /* the next look at the queue reports it */ }
}

/* One recording. */

function showJob() {
  const job = current();
  byId("welcome").hidden = job !== null;
  byId("head").hidden = job === null;
  byId("way").hidden = !job?.diagnosis;
  const isDone = job?.state === "done" && job.result;
  ["player", "look", "keep"].forEach((id) => { byId(id).hidden = !isDone; });
  if (!isDone && state.shown) closeSound();
  if (!job) return;
  if (state.listed !== job.id) showTreatment(job);
  const isActive = ["waiting", "running"].includes(job.state);
  byId("name").textContent = job.name;
  byId("state").textContent = stateOf(job);
  byId("progress").hidden = job.state !== "running";
  if (job.progress?.share == null) byId("progress").removeAttribute("value");
  else byId("progress").value = job.progress.share;
  byId("error").hidden = !job.error;
  byId("error").textContent = job.error || "";
  byId("cancel").hidden = !isActive;
  byId("retry").hidden = !["failed", "cancelled"].includes(job.state);
  byId("remove").hidden = job.state === "running";
  ["do-whole", "do-preview", "do-region"].forEach((id) => { byId(id).disabled = isActive; });
  byId("do-preview").hidden = job.seconds !== null && job.seconds <= 30;
  byId("do-whole").hidden = Boolean(isDone && job.result.is_whole && job.wish.model === modelOf());
  showDiagnosis(job);
  if (state.peaks?.id !== job.id && job.diagnosis) openPeaks(job);
  const key = isDone ? JSON.stringify([job.id, job.result]) : null;
  if (isDone && state.shown !== key) openSound(job, key);
  if (isDone) showSaved(job);
}

function treatment(model) {
  return Object.entries(state.options.presets).find(([, chain]) => chain === model)?.[0] || model;
}

function showDiagnosis(job) {
  byId("diagnosis").hidden = !job.diagnosis;
  if (!job.diagnosis) return;
  const pairs = factsOf(job, treatment).map(([word, value]) => element("div", {}, element("dt", {}, word), element("dd", {}, value)));
  byId("diagnosis").replaceChildren(...pairs);
}

function listModels() {
  const { presets, models, methods } = state.options;
  const group = (label, entries) => element("optgroup", { label }, ...entries.map(([value, text]) => element("option", { value }, text)));
  const first = (text) => text.split(". ")[0].replace(/\.$/, "");
  byId("model").replaceChildren(
    element("option", { value: "auto" }, "as proposed"),
    group("For a kind of recording", Object.entries(presets).map(([name, chain]) => [name, name === chain ? name : `${name}: ${chain.replaceAll(",", ", ")}`])),
    group("Models", Object.entries(models).map(([name, text]) => [name, `${name}: ${first(text)}`])),
    group("Methods without weights", Object.entries(methods).map(([name, text]) => [name, `${name}: ${first(text)}`])),
    element("option", { value: OWN_CHAIN }, "own stages …"),
  );
}

function modelOf() { return byId("model").value === OWN_CHAIN ? byId("chain").value.trim() : byId("model").value; }

/** The treatment that was asked for, when another recording is shown. */
function showTreatment({ id, wish }) {
  state.listed = id;
  const isListed = [...byId("model").options].some((option) => option.value === wish.model);
  byId("model").value = isListed ? wish.model : OWN_CHAIN;
  if (!isListed) byId("chain").value = wish.model;
  byId("way").classList.toggle("has-own", !isListed);
}

function again(part) {
  const region = part === "region" ? { start_seconds: Number(byId("from").value), duration_seconds: Number(byId("length").value) } : {};
  return attempt(async () => {
    await ask("POST", `/api/jobs/${state.id}/retry`, { model: modelOf(), part, ...region });
    await refresh();
  });
}

/* The level over time, on which a part can be marked. */

async function openPeaks(job) {
  state.peaks = { id: job.id, peaks: [], seconds: 0 };
  state.marked = null;
  await attemptQuietly(async () => {
    const found = await ask("GET", `/api/jobs/${job.id}/peaks`);
    if (state.id !== job.id) return;
    state.peaks = { id: job.id, ...found };
    byId("wave-end").textContent = clock(found.seconds, 0);
    byId("from").max = found.seconds;
    byId("length").value = Math.min(30, Math.max(0.5, Math.floor(10 * found.seconds) / 10));
    byId("from").value = 0;
    drawWave();
  });
}

function drawWave() {
  const canvas = byId("wave");
  const { peaks, seconds } = state.peaks || { peaks: [], seconds: 0 };
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !seconds) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(canvas);
  const largest = Math.max(1e-3, ...peaks);
  context.fillStyle = style.getPropertyValue("--quiet");
  for (let x = 0; x < width; x += 1) {
    const [first, end] = [Math.floor((x / width) * peaks.length), Math.ceil(((x + 1) / width) * peaks.length)];
    const half = Math.max(0.5, (Math.max(...peaks.slice(first, end)) / largest) * (height / 2 - 2));
    context.fillRect(x, height / 2 - half, 1, 2 * half);
  }
  const shade = (start, length, colour, alpha) => {
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect((start / seconds) * width, 0, Math.max(2, (length / seconds) * width), height);
    context.globalAlpha = 1;
  };
  const result = current()?.result;
  if (result && !result.is_whole) shade(result.start_seconds, result.seconds, style.getPropertyValue("--accent"), 0.3);
  if (state.marked) shade(...state.marked, style.getPropertyValue("--focus"), 0.35);
}

function markable() {
  const canvas = byId("wave");
  const at = (event) => Math.min(Math.max(0, event.offsetX / canvas.clientWidth), 1) * state.peaks.seconds;
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !state.peaks?.seconds) return;
    canvas.setPointerCapture(event.pointerId);
    start = at(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (start !== null) mark(start, at(event)); });
  canvas.addEventListener("pointerup", () => { start = null; });
  canvas.addEventListener("pointercancel", () => { start = null; });
  ["from", "length"].forEach((id) => byId(id).addEventListener("input", () => {
    state.marked = [Number(byId("from").value), Number(byId("length").value)];
    drawWave();
  }));
}

function mark(one, other) {
  const from = Math.round(10 * Math.min(one, other)) / 10;
  const length = Math.min(600, Math.max(0.5, Math.round(10 * Math.abs(one - other)) / 10));
  byId("from").value = from;
  byId("length").value = length;
  state.marked = [from, length];
  drawWave();
}

/* Sound and pictures. */

function closeSound() {
  state.shown = state.view = state.levels = null;
  player.load([], []);
}

async function openSound(job, key) {
  closeSound();
  state.shown = key;
  const { listening } = job.result;
  byId("app").setAttribute("aria-busy", "true");
  const tuned = `${job.id} ${job.result.model}`; // a preview and the whole recording share their sliders
  if (state.tuned !== tuned) {
    byId("reduction").value = job.result.has_networks ? DEFAULT_DB : LAST_DB;
    byId("strength").value = 100;
  }
  state.tuned = tuned;
  await attempt(async () => {
    const bytes = (path) => fetch(`/api/jobs/${job.id}/${path}`).then((response) => {
      if (!response.ok) throw new Error(`${job.name}: its sound is not there; try it again`);
      return response;
    });
    const sounds = ["before", "removed"].map(async (name) => {
      const data = await (await bytes(`audio/${name}`)).arrayBuffer();
      return new OfflineAudioContext(1, 1, listening.sample_rate).decodeAudioData(data);
    });
    const levels = VERSIONS.map(async (name) => levelsOf(await (await bytes(`pictures/${name}`)).blob()));
    const [tracks, found] = [await Promise.all(sounds), await Promise.all(levels)];
    if (state.shown !== key) return;
    const topHz = listening.sample_rate / 2;
    state.view = new View({ seconds: tracks[0].duration, topHz, startSeconds: listening.start_seconds, rangeDb: listening.range_db });
    state.levels = found;
    player.load(tracks, [0, 0]);
    byId("heard").textContent = heardText(job);
    drawWave();
    apply();
  });
  if (state.shown === key) byId("app").setAttribute("aria-busy", "false");
}

function heardText({ result }) {
  const { listening } = result;
  const range = `${clock(listening.start_seconds, 0)} to ${clock(listening.start_seconds + listening.seconds, 0)}`;
  const part = listening.seconds < result.seconds - 0.05 ? `Here: ${range}, where most is removed; all of it was restored. ` : result.is_whole ? "" : `Here: ${range}. `;
  const alone = result.model ? "" : "Nothing was found that would have to be removed; choose a treatment to try one all the same. ";
  return part + alone + result.warnings.map((text) => sentence(text.replace(/^W\d+ /, ""))).join(" ");
}

function sentence(text) { return `${text[0].toUpperCase()}${text.slice(1)}.`; }

function sliders() {
  const job = current();
  const strength = Number(byId("strength").value) / 100;
  const reduction = reductionAt(Number(byId("reduction").value), job.result.has_networks);
  return { strength, max_reduction_db: reduction };
}

/** Applies the sliders and the version to what plays; pictures follow a moment later. */
function apply() {
  const job = current();
  if (!job?.result) return;
  const { strength, max_reduction_db: reduction } = sliders();
  const share = shareOf(strength, reduction);
  const match = matchOf(share, job.result.listening.lufs);
  player.mix(gainsOf(state.version, share, job.result.listening.gain, state.isMatched ? match : [0, 0]));
  const hasNoLimit = reduction === null || reduction === NO_LIMIT_DB;
  showPercent("strength");
  byId("reduction-text").textContent = hasNoLimit ? "no limit" : `${reduction}\u00a0dB`;
  byId("reduction").setAttribute("aria-valuetext", hasNoLimit ? "no limit" : `${reduction} decibels`);
  byId("match-text").textContent = state.isMatched ? matchText(match) : "";
  setPressed(byId("loop"), player.loop !== null);
  deck.update();
  byId("command").textContent = commandOf(job, wanted());
  clearTimeout(drawing);
  drawing = setTimeout(() => paint(share), 60);
}

function paint(share) {
  if (!state.view || !state.levels) return;
  deck.show(levelsAt(share, state.levels), timing());
}

function timing() {
  const { column_seconds: columnSeconds, lead_seconds: leadSeconds } = current().result.listening;
  return { columnSeconds, leadSeconds };
}

function draw() { deck.draw(); }

function repeat() {
  player.setLoop(player.loop ? null : { start: 0, end: player.duration });
  apply();
}

/* Saving. */

function wanted() {
  const loudness = byId("loudness").value;
  return { ...sliders(), format: byId("format").value, bit_depth: byId("depth").value, loudness };
}

async function save() {
  const job = current();
  byId("save").disabled = true;
  byId("saving").textContent = "Saving …";
  try {
    const made = await ask("POST", `/api/jobs/${job.id}/save`, wanted());
    byId("saving").textContent = `Saved as ${made.path}`;
    await attemptQuietly(refresh);
  } catch (error) {
    byId("saving").textContent = "";
    say(error.message);
  } finally {
    byId("save").disabled = false;
  }
}

function showSaved(job) {
  const links = job.saved.map((name) => element("li", {}, element("a", { href: `/api/results/${encodeURIComponent(name)}`, download: name }, `Download ${name}`)));
  byId("saved").replaceChildren(...links);
}

/* Beginning. */

function connect() {
  byId("choose").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => { event.preventDefault(); byId("drop").classList.add("is-over"); });
  document.addEventListener("dragleave", () => byId("drop").classList.remove("is-over"));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    byId("drop").classList.remove("is-over");
    add(await filesOf(event.dataTransfer));
  });
  const presses = {
    cancel: () => attempt(async () => { await ask("POST", `/api/jobs/${state.id}/cancel`); await refresh(); }),
    retry: () => attempt(async () => { await ask("POST", `/api/jobs/${state.id}/retry`); await refresh(); }),
    remove: () => confirm("Remove this recording from the list? What was saved stays.") && attempt(async () => { await ask("DELETE", `/api/jobs/${state.id}`); await refresh(); }),
    "do-whole": () => again("whole"), "do-preview": () => again("preview"), "do-region": () => again("region"),
    loop: repeat,
    save, copy: () => navigator.clipboard.writeText(byId("command").textContent),
    "pick-add": () => attempt(async () => { state.id = (await ask("POST", "/api/jobs", { file: byId("pick-file").value })).id; await refresh(); }),
  };
  deck.connect(presses);
  ["strength", "reduction", "format", "depth", "loudness"].forEach((id) => byId(id).addEventListener("input", apply));
  byId("model").addEventListener("input", () => { byId("way").classList.toggle("has-own", byId("model").value === OWN_CHAIN); showJob(); });
  const start = () => current()?.result?.listening.start_seconds || 0;
  showProgress(player, { play: byId("play"), seek: byId("seek"), time: byId("time"), start, draw });
  new ResizeObserver(() => { draw(); drawWave(); }).observe(byId("app"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { draw(); drawWave(); });
}

async function begin() {
  state.options = await ask("GET", "/api/options");
  state.id = location.hash.slice(1) || null;
  const colours = paletteOf(state.options.palette);
  deck = new Deck(player, state, colours, { refresh: apply });
  byId("version").textContent = state.options.version;
  byId("format").replaceChildren(...state.options.formats.map((name) => element("option", {}, name)), element("option", { value: "keep" }, "as the recording"));
  listModels();
  if (state.options.has_folder) {
    const { files } = await ask("GET", "/api/folder");
    byId("pick").hidden = !files.length;
    byId("pick-file").replaceChildren(...files.map((name) => element("option", {}, name)));
  }
  connect();
  markable();
  window.concertclean = { player, state }; // a handle for scripts
  follow();
}

begin().catch((error) => {
  say(`This page cannot be opened: ${error.message}`);
  throw error;
});
