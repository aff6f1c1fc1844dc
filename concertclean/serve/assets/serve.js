/* The page: the queue, one recording of it, its sound, and saving. */
const OWN_CHAIN = "own";
const DEFAULT_DB = 26;

const player = new Sound();
const state = { jobs: [], id: null, shown: null, sending: [], options: null, version: "after", isMatched: true, isStack: false, view: null, levels: null, peaks: null, listed: null, tuned: null, tracks: null, tiles: null, keeping: 0 };
let deck = null;
let wave = null;
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
  state.jobs = jobs.map((job) => (state.keeping && job.id === state.id ? { ...job, leave: current()?.leave || job.leave } : job));
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
  if (state.peaks !== job.id && job.diagnosis) openPeaks(job);
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
  showLeft(current());
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

/* Parts of it. */

async function openPeaks(job) {
  state.peaks = job.id;
  await attemptQuietly(async () => {
    const found = await ask("GET", `/api/jobs/${job.id}/peaks`);
    if (state.id !== job.id) return;
    wave.open(found);
    byId("wave-end").textContent = clock(found.seconds, 0);
  });
}

function shades() {
  const job = current();
  const result = job?.result && !job.result.is_whole ? [job.result.start_seconds, job.result.seconds] : null;
  return { result, leave: job ? job.leave : [] };
}

/** Changes the parts that are left alone. */
function setLeave(leave) {
  const job = current();
  job.leave = leave;
  showLeft(job);
  if (job.result) fade(job);
  keep();
}

function leavePart() {
  const [start, length] = wave.part;
  const end = Math.min(start + length, wave.seconds);
  if (end > start) setLeave(withPart(current().leave, [start, Math.round(10 * end) / 10]));
}

function showLeft(job) {
  const entries = job.leave.map(([start, end], i) => {
    const words = `${clock(start)} to ${clock(end)}`;
    const button = element("button", { type: "button", class: "small", "aria-label": `Restore ${words} again` }, "Restore again");
    onPress(button, () => setLeave(job.leave.filter((_, other) => other !== i)));
    return element("li", {}, `${words} stays as it is `, button);
  });
  byId("left").replaceChildren(...entries);
  wave.draw();
}

/** Keeps sliders and parts with the recording, a moment after the last change. */
function keep() {
  const { id, leave } = current();
  clearTimeout(state.keeping);
  const tuning = { ...sliders(), leave };
  const mine = setTimeout(async () => {
    await attempt(() => ask("PUT", `/api/jobs/${id}/tuning`, tuning));
    if (state.keeping === mine) state.keeping = 0;
  }, 300);
  state.keeping = mine;
}

/* Sound and pictures. */

function closeSound() {
  state.shown = state.view = state.levels = state.tracks = state.tiles = null;
  player.loadTracks([]);
}

async function openSound(job, key) {
  closeSound();
  state.shown = key;
  const { listening } = job.result;
  byId("app").setAttribute("aria-busy", "true");
  const tuned = `${job.id} ${job.result.model}`; // a preview and the whole recording share their sliders
  if (state.tuned !== tuned) {
    byId("reduction").value = job.sliders ? placeOf(job.sliders.max_reduction_db) : job.result.has_networks ? DEFAULT_DB : LAST_DB;
    byId("strength").value = job.sliders ? Math.round(100 * job.sliders.strength) : 100;
  }
  state.tuned = tuned;
  await attempt(async () => {
    const bytes = (path) => fetch(`/api/jobs/${job.id}/${path}`).then((response) => {
      if (!response.ok) throw new Error(`${job.name}: its sound is not there; try it again`);
      return response;
    });
    const sounds = (listening.is_stream ? [] : ["before", "removed"]).map(async (name) => {
      const data = await (await bytes(`audio/${name}`)).arrayBuffer();
      return new OfflineAudioContext(1, 1, listening.sample_rate).decodeAudioData(data);
    });
    const levelsIn = (place) => Promise.all(VERSIONS.map(async (name) => levelsOf(await (await bytes(`${place}/${name}`)).blob())));
    const [tracks, found] = [await Promise.all(sounds), await levelsIn("pictures")];
    if (state.shown !== key) return;
    const topHz = listening.sample_rate / 2;
    state.view = new View({ seconds: tracks[0]?.duration || listening.seconds, topHz, startSeconds: listening.start_seconds, rangeDb: listening.range_db });
    Object.assign(state, { levels: found, tracks });
    if (listening.is_stream) {
      player.loadStream(`/api/jobs/${job.id}/audio/stream`, listening.seconds, listening.channels);
      state.tiles = new Tiles(listening, (number) => levelsIn(`tiles/${number}`), () => deck.draw());
    } else player.loadTracks(tracks);
    byId("heard").textContent = heardText(job);
    fade(job);
    wave.draw();
  });
  if (state.shown === key) byId("app").setAttribute("aria-busy", "false");
}

/** Lets what plays follow the parts that are left alone. */
function fade(job) {
  const { leave, result: { listening: { start_seconds: start } } } = job;
  const tracks = state.tracks?.length ? [state.tracks[0], fadedOut(state.tracks[1], leave, start)] : [];
  player.fade(tracks, (seconds) => shareLeft(start + seconds, leave));
  apply();
}

function heardText({ result }) {
  const { listening } = result;
  const range = `${clock(listening.start_seconds, 0)} to ${clock(listening.start_seconds + listening.seconds, 0)}`;
  const stream = listening.is_stream ? "So long a result is played from a compressed stream; what is saved is exact. " : "";
  const part = (result.is_whole ? "" : `Here: ${range}. `) + stream;
  const alone = result.model ? "" : "Nothing was found that would have to be removed; choose a treatment to try one all the same. ";
  return part + alone + result.warnings.map((text) => sentence(text.replace(/^W\d+ /, ""))).join(" ");
}

function sentence(text) { return `${text[0].toUpperCase()}${text.slice(1)}.`; }

function sliders() {
  const job = current();
  if (!job.result) return job.sliders || {};
  const strength = Number(byId("strength").value) / 100;
  const reduction = reductionAt(Number(byId("reduction").value), job.result.has_networks);
  return { strength, max_reduction_db: reduction };
}

/** Part of what was found that the sliders remove. */
function shareNow() {
  const { strength, max_reduction_db: reduction } = sliders();
  return shareOf(strength, reduction);
}

/** Applies the sliders and the version to what plays; pictures follow a moment later. */
function apply() {
  const job = current();
  if (!job?.result) return;
  const { max_reduction_db: reduction } = sliders();
  const share = shareNow();
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
  deck.show(drawn(share, state.levels, timing()), timing());
}

function timing() {
  const { column_seconds: columnSeconds, lead_seconds: leadSeconds } = current().result.listening;
  return { columnSeconds, leadSeconds };
}

/** Levels as the sliders and the parts that are left alone make them. */
function drawn(share, levels, { columnSeconds, leadSeconds }) {
  const { leave, result: { listening: { start_seconds: start } } } = current();
  const middle = (x) => start + (x + 0.5) * columnSeconds - leadSeconds;
  return levelsAt((x) => share * shareLeft(middle(x), leave), levels);
}

/** Gives the finer pictures of what is looked at to the spectrograms, as far as they are there. */
function detail() {
  const job = current();
  if (!state.tiles || !job?.result) return;
  const share = shareNow();
  const timed = (number) => state.tiles.timing(number, timing().leadSeconds);
  const tiles = state.tiles.shown(state.view, JSON.stringify([share, job.leave]), (levels, number) => drawn(share, levels, timed(number)));
  VERSIONS.forEach((version, i) => {
    deck.pictures[version].details = tiles.map(({ number, levels }) => ({ levels: levels[i], timing: timed(number) }));
  });
}

function draw() { deck.draw(); }

/** A part that is dragged on a spectrogram, on the clock of the result. */
function selectPart(one, other) {
  const { start_seconds: start } = current().result.listening;
  wave.mark(start + one, start + other);
}

function repeat() {
  player.setLoop(player.loop ? null : { start: 0, end: player.duration });
  apply();
}

/* Saving. */

function wanted() {
  const loudness = byId("loudness").value;
  return { ...sliders(), leave: current().leave, format: byId("format").value, bit_depth: byId("depth").value, loudness };
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
    folder: () => attempt(() => ask("POST", "/api/results")),
    "do-leave": leavePart, loop: repeat,
    save, copy: () => navigator.clipboard.writeText(byId("command").textContent),
    "pick-add": () => attempt(async () => { state.id = (await ask("POST", "/api/jobs", { file: byId("pick-file").value })).id; await refresh(); }),
  };
  deck.connect(presses);
  ["strength", "reduction", "format", "depth", "loudness"].forEach((id) => byId(id).addEventListener("input", apply));
  ["strength", "reduction"].forEach((id) => byId(id).addEventListener("input", keep));
  byId("model").addEventListener("input", () => { byId("way").classList.toggle("has-own", byId("model").value === OWN_CHAIN); showJob(); });
  const start = () => current()?.result?.listening.start_seconds || 0;
  showProgress(player, { play: byId("play"), seek: byId("seek"), time: byId("time"), start, draw });
  new ResizeObserver(() => { draw(); wave.draw(); }).observe(byId("app"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { draw(); wave.draw(); });
}

async function begin() {
  state.options = await ask("GET", "/api/options");
  state.id = location.hash.slice(1) || null;
  const colours = paletteOf(state.options.palette);
  deck = new Deck(player, state, colours, { refresh: apply, select: selectPart, prepare: detail });
  wave = new Waveform({ canvas: byId("wave"), from: byId("from"), length: byId("length"), shades });
  byId("version").textContent = state.options.version;
  byId("format").replaceChildren(
    element("option", { value: "auto" }, "WAV; a video keeps its picture"),
    element("option", { value: "keep" }, "as the recording"),
    ...state.options.formats.map((name) => element("option", { value: name }, `sound as ${name}`)),
  );
  listModels();
  if (state.options.has_folder) {
    const { files } = await ask("GET", "/api/folder");
    byId("pick").hidden = !files.length;
    byId("pick-file").replaceChildren(...files.map((name) => element("option", {}, name)));
  }
  connect();
  window.concertclean = { player, state, deck }; // a handle for scripts
  follow();
}

begin().catch((error) => {
  say(`This page cannot be opened: ${error.message}`);
  throw error;
});
