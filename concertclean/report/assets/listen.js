/* The listening test: items in random order, versions in random order, a slider for each; results as a file. */
const HEARD_SECONDS = 0.7;
const QUESTIONS = {
  clean: "How good is each version, compared with the reference? One of them is the reference itself: that is 100.",
  noisy: "How good does each version sound, beside the original recording? One of them is the original itself: that is 0.",
};

const test = jsonOf("page");
const player = new Player();
const state = { participant: "", started: "", items: [], at: -1, rows: [], heard: null, ratings: [], isSaved: false };

/** Numbers from 0 to 1, determined by a word: xmur3 by bryc for the seed, then mulberry32 by Tommy Ettinger; public domain. */
function randomFrom(word) {
  let seed = 1779033703 ^ word.length;
  for (let i = 0; i < word.length; i += 1) {
    seed = Math.imul(seed ^ word.charCodeAt(i), 3432918353);
    seed = (seed << 13) | (seed >>> 19);
  }
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(values, random) {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/** Items in this participant's order, each with the order of its tracks; track 0 is the reference. */
function planFor(participant) {
  const random = randomFrom(`${test.seed} ${test.test} ${participant}`);
  return shuffled(test.items, random).map((item) => ({ item, order: shuffled(item.stimuli.map((_, i) => i + 1), random) }));
}

function show(id) {
  ["welcome", "trial", "thanks"].forEach((name) => { byId(name).hidden = name !== id; });
  byId("help").hidden = id !== "trial";
  const heading = byId(id).querySelector("h2[tabindex]");
  if (heading) heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function begin(participant) {
  Object.assign(state, { participant, started: new Date().toISOString(), items: planFor(participant), ratings: [] });
  show("trial");
  openItem(0);
}

async function openItem(at) {
  const { item, order } = state.items[at];
  Object.assign(state, { at, heard: null, rows: [] });
  player.load([], []);
  byId("item-count").textContent = `Item ${at + 1} of ${state.items.length}`;
  byId("progress").value = at / state.items.length;
  byId("item-name").textContent = item.name;
  byId("question").textContent = QUESTIONS[item.kind];
  byId("next").textContent = at + 1 < state.items.length ? "Next" : "Finish";
  byId("next").disabled = true;
  byId("stimuli").replaceChildren();
  byId("missing").textContent = "Opening …";
  const tracks = await Promise.all([0, ...order].map((track) => soundOf(`${item.id}-${track}`, item.sampleRate)));
  player.load(tracks, tracks.map((_, i) => Number(i === 0)));
  state.rows = order.map((track, i) => makeRow(item.stimuli[track - 1], i));
  byId("stimuli").replaceChildren(...state.rows.map((row) => row.node));
  setLoop({ start: 0, end: player.duration });
  hear(0);
  tellMissing();
}

function makeRow(stimulus, i) {
  const letter = String.fromCharCode(65 + i);
  const button = element("button", { type: "button", class: "voice", "aria-pressed": "false", "aria-label": `Hear ${letter}`, title: `Key ${letter}` }, letter);
  const slider = element("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": `Score of ${letter}` });
  slider.setAttribute("aria-valuetext", "not rated");
  const value = element("output", {}, "–");
  const row = { stimulus, letter, button, slider, seconds: 0, isRated: false };
  row.node = element("div", { class: "stimulus" }, button, element("div", { class: "track" }, slider), value);
  onPress(button, () => hear(i + 1));
  slider.addEventListener("pointerup", () => rate(row, value)); // 50 is a score too
  slider.addEventListener("input", () => rate(row, value));
  return row;
}

function rate(row, value) {
  row.isRated = true;
  row.slider.classList.add("is-rated");
  value.textContent = row.slider.value;
  row.slider.setAttribute("aria-valuetext", `${row.slider.value}, ${wordFor(Number(row.slider.value))}`);
  tellMissing();
}

function wordFor(score) { return ["bad", "poor", "fair", "good", "excellent"][Math.min(4, Math.floor(score / 20))]; }

/** Switches to one track, 0 is the reference; starts playing if nothing plays. */
function hear(track) {
  if (!player.tracks.length) return;
  const isFirst = state.heard === null;
  state.heard = track;
  player.mix(player.tracks.map((_, i) => Number(i === track)));
  setPressed(byId("reference"), track === 0);
  state.rows.forEach((row, i) => setPressed(row.button, i + 1 === track));
  if (!isFirst && !player.isPlaying) player.play();
}

function hearByKey(track) {
  if (track > state.rows.length) return;
  hear(track);
  if (track > 0) state.rows[track - 1].slider.focus();
  else document.activeElement.blur(); // so that space plays and pauses
}

let lastTime = 0;

/** Called for every frame while music plays: counts how long each version has been heard. */
function count() {
  const now = performance.now() / 1000;
  const seconds = Math.min(0.2, now - lastTime);
  lastTime = now;
  const row = state.rows[state.heard - 1];
  if (!row || !player.isPlaying) return;
  row.seconds += seconds;
  if (row.seconds < HEARD_SECONDS || row.button.classList.contains("is-heard")) return;
  row.button.classList.add("is-heard");
  row.button.setAttribute("aria-label", `Hear ${row.letter}, heard before`);
  tellMissing();
}

function tellMissing() {
  const letters = (rows) => rows.map((row) => row.letter).join(", ");
  const unheard = letters(state.rows.filter((row) => row.seconds < HEARD_SECONDS));
  const unrated = letters(state.rows.filter((row) => !row.isRated));
  const parts = [unheard && `Not heard yet: ${unheard}.`, unrated && `Not rated yet: ${unrated}.`].filter(Boolean);
  const text = parts.join(" ");
  if (byId("missing").textContent !== text) byId("missing").textContent = text;
  byId("next").disabled = parts.length > 0;
}

function next() {
  if (byId("next").disabled) return;
  player.pause();
  const { item } = state.items[state.at];
  state.rows.forEach(({ stimulus, slider, seconds }, place) => state.ratings.push({
    item: item.name, reference_kind: item.kind, condition: stimulus.condition, role: stimulus.role,
    score: Number(slider.value), place: place + 1, heard_seconds: Math.round(seconds * 10) / 10,
  }));
  if (state.at + 1 < state.items.length) openItem(state.at + 1).then(() => show("trial"));
  else show("thanks");
}

function setLoop(region) {
  player.setLoop(region);
  setPressed(byId("loop"), region !== null);
  const isPart = region && (region.start > 0 || region.end < player.duration);
  byId("loop-text").textContent = isPart ? `${clock(region.start)} – ${clock(region.end)}` : "";
}

function loopFrom(edge) {
  const region = { ...(player.loop || { start: 0, end: player.duration }), [edge]: player.position };
  setLoop(region.end - region.start < 0.3 ? { start: 0, end: player.duration } : region);
}

function results() {
  const { participant, started, ratings } = state;
  return {
    kind: "concertclean listening test", version: 1, test: test.test, title: test.title, participant,
    started, finished: new Date().toISOString(), ratings,
  };
}

function tableOf({ test: id, participant, ratings }) {
  const names = ["item", "reference_kind", "condition", "role", "score", "place", "heard_seconds"];
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const lines = ratings.map((rating) => [id, participant, ...names.map((name) => rating[name])].map(quoted).join(","));
  return `${["test", "participant", ...names].join(",")}\r\n${lines.join("\r\n")}\r\n`;
}

function save(extension, type, text) {
  const name = state.participant.replace(/[^\p{L}\p{N}_-]+/gu, "_");
  const file = `listening-${name}.${extension}`;
  offer(new Blob([text], { type }), file);
  state.isSaved = true;
  byId("saved").textContent = `Saved as ${file}, in your downloads.`;
}

function connect() {
  byId("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("participant").value.trim();
    if (name) begin(name);
  });
  onPress(byId("reference"), () => hear(0));
  onPress(byId("next"), next);
  onPress(byId("loop"), () => setLoop(player.loop ? null : { start: 0, end: player.duration }));
  onPress(byId("loop-start"), () => loopFrom("start"));
  onPress(byId("loop-end"), () => loopFrom("end"));
  onPress(byId("save-json"), () => save("json", "application/json", JSON.stringify(results(), null, 1)));
  onPress(byId("save-csv"), () => save("csv", "text/csv", tableOf(results())));
  const versions = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [String.fromCharCode(97 + i), () => hearByKey(i + 1)]));
  const digits = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [String(i), () => hearByKey(i)]));
  const inTrial = (keys) => Object.fromEntries(Object.entries(keys).map(([key, act]) => [key, () => byId("trial").hidden || act()]));
  onKeys(inTrial({
    ...versions, ...digits, " ": () => player.toggle(), Home: () => player.seek(0),
    "[": () => loopFrom("start"), "]": () => loopFrom("end"), Enter: next,
  }));
  window.addEventListener("beforeunload", (event) => {
    if (state.at >= 0 && !state.isSaved) event.preventDefault();
  });
}

byId("instructions").replaceChildren(...test.instructions.map((text) => element("p", {}, text)));
show("welcome");
showProgress(player, { play: byId("play"), seek: byId("seek"), time: byId("time"), draw: count });
connect();
window.concertclean = { player, state }; // a handle for scripts
