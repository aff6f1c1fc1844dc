/* The before/after page. */
const BOOST_DB = 12;

const { palette: hexPalette, recordings } = jsonOf("page");
const colours = paletteOf(hexPalette);
const player = new Player();
let drawing = 0;
let painted = {};
const state = { index: -1, version: "before", isMatched: true, isBoosted: false, isStack: false, isStackChosen: false, view: null, levels: null, isComplete: false, marked: null };
const deck = new Deck(player, state, colours, { refresh, select, marked: () => player.loop || state.marked });

function share() { return Number(byId("strength").value) / 100; }

function match() { return state.isMatched ? matchOf(share(), recordings[state.index].lufs) : [0, 0]; }

/** Gains of the tracks, the result and what was removed; their sum is the recording. */
function gains() {
  const boost = state.isBoosted && state.version === "removed" ? factor(BOOST_DB) : 1;
  return gainsOf(state.version, share(), recordings[state.index].gain / boost, match(), 1);
}

/** Shows and plays the current state. */
function refresh() {
  if (state.index < 0) return;
  player.mix(gains());
  showPercent("strength");
  setPressed(byId("boost"), state.isBoosted);
  byId("match-text").textContent = matchText(match());
  deck.update();
  clearTimeout(drawing);
  drawing = setTimeout(paint, 60);
}

/** Shows a recording, or why it cannot be shown. */
async function open(index) {
  try {
    await opened(index);
  } catch (error) {
    byId("app").setAttribute("aria-busy", "false");
    byId("subject").textContent = `This page cannot be opened: ${error.message}`;
    byId("subject").classList.add("is-fault");
  }
}

async function opened(index) {
  const recording = recordings[index];
  state.index = index;
  state.view = state.marked = state.levels = null;
  state.isComplete = false;
  player.load([], []);
  enableDownloads(false);
  byId("app").setAttribute("aria-busy", "true");
  byId("subject").textContent = "Opening …";
  byId("subject").classList.remove("is-fault");
  showFacts(recording);
  const sounds = ["after", "removed"].map((name) => soundOf(`${recording.id}-sound-${name}`, recording.sampleRate, recording.codec));
  const levels = await Promise.all(["after", "removed"].map((name) => levelsOf(pictureOf(`${recording.id}-picture-${name}`))));
  const tracks = await Promise.all(sounds);
  if (state.index !== index) return;
  const topHz = recording.sampleRate / 2;
  state.view = new View({ ...recording, topHz, seconds: tracks[0].duration });
  // What is in step follows; until then nothing is.
  const loose = levels[0].values.map((value, i) => greyOf(POWERS[value] + POWERS[levels[1].values[i]]));
  state.levels = [{ ...levels[0], values: loose }, ...levels];
  player.load(tracks, gains());
  enableDownloads(true);
  byId("subject").textContent = `${recording.before} → ${recording.after}`;
  byId("app").setAttribute("aria-busy", "false");
  paint();
  refresh();
  const before = await levelsOfSum(levels, tracks, recording, () => state.index === index);
  if (before === null) return;
  state.levels = [before, ...levels];
  state.isComplete = true;
  refresh();
}

/** The pictures follow the slider a moment later. */
function paint() {
  if (!state.view || (painted.share === share() && painted.levels === state.levels)) return;
  painted = { share: share(), levels: state.levels };
  const now = share();
  deck.show(levelsAt(() => now, state.levels), recordings[state.index]);
}

function pictureOf(id) { return new Blob([bytesOf(id)], { type: "image/png" }); }

function showFacts(recording) {
  document.querySelectorAll("#recordings button").forEach((button, i) => button.setAttribute("aria-current", String(i === state.index)));
  byId("numbers").tBodies[0].replaceChildren(...recording.numbers.map(tableRow));
  byId("settings").tBodies[0].replaceChildren(...recording.settings.map(tableRow));
  byId("notes").replaceChildren(...recording.notes.map((note) => element("p", {}, note)));
  byId("about").hidden = !recording.notes.length;
  showCourse(recording);
}

function tableRow([name, ...values]) {
  return element("tr", {}, element("th", { scope: "row" }, name), ...values.map((value) => element("td", {}, value)));
}

/** Where in a long recording sound was removed, and which part of it this page contains. */
function showCourse({ course, startSeconds, seconds, wholeSeconds }) {
  byId("course").hidden = seconds >= wholeSeconds;
  byId("course-end").textContent = clock(wholeSeconds, 0);
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  };
  const points = course.map((value, i) => `${(300 * i) / (course.length - 1)},${100 - value}`).join(" ");
  const x = (300 * startSeconds) / wholeSeconds;
  const width = (300 * seconds) / wholeSeconds;
  document.querySelector("#course svg").replaceChildren(
    make("polygon", { class: "amount", points: `0,100 ${points} 300,100` }),
    make("rect", { class: "part", x, width, y: 0, height: 100 }),
  );
}

function select(from, to, isDone) {
  const [start, end] = [Math.min(from, to), Math.max(from, to)].map((at) => Math.min(Math.max(0, at), player.duration));
  state.marked = end - start > 0.05 ? { start, end } : null;
  if (isDone) setLoop(state.marked);
}

function setLoop(region) {
  player.setLoop(region);
  setPressed(byId("loop"), region !== null);
  const { startSeconds } = recordings[state.index];
  byId("loop-text").textContent = region ? `${clock(startSeconds + region.start)} – ${clock(startSeconds + region.end)}` : "";
}

function toggleLoop() { setLoop(player.loop ? null : state.marked || { start: 0, end: player.duration }); }

function loopFrom(edge) {
  const old = player.loop || state.marked || { start: 0, end: player.duration };
  const region = { ...old, [edge]: player.position };
  if (region.end - region.start < 0.05) region[edge === "start" ? "end" : "start"] = edge === "start" ? player.duration : 0;
  state.marked = region;
  setLoop(region);
}

function openOther(by) {
  const next = state.index + by;
  if (next >= 0 && next < recordings.length) open(next);
}

function enableDownloads(isReady) { VERSIONS.forEach((version) => { byId(`download-${version}`).disabled = !isReady; }); }

/** Saves a version as it sounds at this strength, without the level match. */
function download(version) {
  const { name, gain } = recordings[state.index];
  const mark = version === "before" || share() === 1 ? version : `${version}_${Math.round(100 * share())}`;
  offer(waveOf(player.tracks, gainsOf(version, share(), gain, [0, 0], 1)), `${fileNameOf(name)}_${mark}.wav`);
}

function connect() {
  const presses = {
    ...Object.fromEntries(VERSIONS.map((version) => [`download-${version}`, () => download(version)])),
    boost: () => deck.change("isBoosted"),
    loop: toggleLoop,
    "loop-start": () => loopFrom("start"),
    "loop-end": () => loopFrom("end"),
  };
  byId("strength").addEventListener("input", refresh);
  deck.connect(presses, {
    "[": presses["loop-start"], "]": presses["loop-end"], g: presses.boost, n: () => openOther(1), p: () => openOther(-1),
  });
}

function listRecordings() {
  if (recordings.length < 2) return;
  byId("app").classList.add("has-list");
  byId("recordings").hidden = false;
  recordings.forEach((recording, i) => {
    const button = element("button", { type: "button" }, recording.name, element("small", {}, clock(recording.wholeSeconds, 0)));
    onPress(button, () => open(i));
    byId("recordings").append(button);
  });
}

const draw = () => deck.draw();
const start = () => (state.index < 0 ? 0 : recordings[state.index].startSeconds);
showProgress(player, { play: byId("play"), seek: byId("seek"), time: byId("time"), start, draw });
new ResizeObserver(draw).observe(byId("pictures"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
/** All three pictures where there is room for them, until somebody chooses. */
const room = matchMedia("(min-width: 1100px)");
const fillRoom = () => {
  if (state.isStackChosen) return;
  state.isStack = room.matches;
  refresh();
};
room.addEventListener("change", fillRoom);
connect();
fillRoom();
listRecordings();
window.concertclean = { player, state, recordings, deck }; // a handle for scripts
open(0);
