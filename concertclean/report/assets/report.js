/* The before/after page. */
const VERSIONS = ["before", "after", "removed"];
const BOOST_DB = 12;

const { palette: hexPalette, recordings } = jsonOf("page");
const colours = paletteOf(hexPalette);
const player = new Player();
const pictures = Object.fromEntries(VERSIONS.map((version) => {
  const canvas = document.querySelector(`.picture[data-version="${version}"] canvas`);
  return [version, new Spectrogram(canvas, colours)];
}));
const state = { index: -1, version: "before", isMatched: true, isBoosted: false, isStack: false, view: null, marked: null };

/** Gains of the tracks before and after. */
function gainsOf(version) {
  const [before, after] = state.isMatched ? recordings[state.index].matchDb : [0, 0];
  const removed = factor(state.isBoosted ? BOOST_DB : 0);
  return { before: [factor(before), 0], after: [0, factor(after)], removed: [removed, -removed] }[version];
}

function draw() {
  if (!state.view) return;
  const loop = player.loop || state.marked;
  shownVersions().forEach((version) => pictures[version].draw(player.position, loop));
}

function shownVersions() { return state.isStack ? VERSIONS : [state.version]; }

/** Shows and plays the current state. */
function refresh() {
  if (state.index < 0) return;
  player.mix(gainsOf(state.version));
  document.querySelectorAll("#versions button").forEach((button) => setPressed(button, button.dataset.version === state.version));
  document.querySelectorAll(".picture").forEach((node) => {
    node.classList.toggle("is-shown", shownVersions().includes(node.dataset.version));
    node.classList.toggle("is-heard", node.dataset.version === state.version);
  });
  byId("pictures").classList.toggle("is-stack", state.isStack);
  setPressed(byId("match"), state.isMatched);
  setPressed(byId("boost"), state.isBoosted);
  setPressed(byId("stack"), state.isStack);
  byId("match-text").textContent = matchText();
  showView();
}

function showView() {
  const { view } = state;
  if (!view) return;
  setPressed(byId("scale"), view.isLog);
  byId("span").value = view.spanDb;
  byId("span-text").textContent = `${view.spanDb}\u00a0dB`;
  byId("colours-text").textContent = `${signed(view.topDb - view.spanDb)} to ${signed(view.topDb)}\u00a0dB; a full-scale sine is 0\u00a0dB`;
  draw();
}

function signed(number) { return String(number).replace("-", "−"); }

function matchText() {
  if (!state.isMatched) return "";
  const [before, after] = recordings[state.index].matchDb;
  const told = (name, db) => `${name} lowered by ${(-db).toFixed(1)}\u00a0dB`;
  if (before < -0.05) return told("Before", before);
  return after < -0.05 ? told("After", after) : "";
}

function hear(version) {
  state.version = version;
  refresh();
}

/** Decodes a recording and shows it. */
async function open(index) {
  const recording = recordings[index];
  state.index = index;
  state.view = state.marked = null;
  player.load([], []);
  byId("app").setAttribute("aria-busy", "true");
  byId("subject").textContent = "Opening …";
  showFacts(recording);
  const sounds = ["before", "after"].map((name) => soundOf(`${recording.id}-sound-${name}`, recording.sampleRate));
  const levels = await Promise.all(VERSIONS.map((version) => levelsOf(pictureOf(`${recording.id}-picture-${version}`))));
  const tracks = await Promise.all(sounds);
  if (state.index !== index) return;
  const topHz = recording.sampleRate / 2;
  state.view = new View({ ...recording, topHz, seconds: tracks[0].duration });
  VERSIONS.forEach((version, i) => pictures[version].show(levels[i], state.view, recording));
  player.load(tracks, gainsOf(state.version));
  byId("subject").textContent = `${recording.before} → ${recording.after}`;
  byId("app").setAttribute("aria-busy", "false");
  refresh();
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

function change(name) {
  state[name] = !state[name];
  refresh();
}

function changeView(act) {
  if (!state.view) return;
  act(state.view);
  showView();
}

function step(seconds) { player.seek(player.position + seconds); }

function openOther(by) {
  const next = state.index + by;
  if (next >= 0 && next < recordings.length) open(next);
}

function connect() {
  document.querySelectorAll("#versions button").forEach((button) => onPress(button, () => hear(button.dataset.version)));
  const presses = {
    match: () => change("isMatched"),
    boost: () => change("isBoosted"),
    stack: () => change("isStack"),
    loop: toggleLoop,
    "loop-start": () => loopFrom("start"),
    "loop-end": () => loopFrom("end"),
    "zoom-in": () => changeView((view) => view.zoom(0.5, inView())),
    "zoom-out": () => changeView((view) => view.zoom(2, inView())),
    "zoom-fit": () => changeView((view) => view.fit()),
    scale: () => changeView((view) => { view.isLog = !view.isLog; }),
  };
  Object.entries(presses).forEach(([id, act]) => onPress(byId(id), act));
  byId("span").addEventListener("input", () => changeView((view) => { view.spanDb = Number(byId("span").value); }));
  const press = (id) => () => presses[id]();
  onKeys({
    " ": () => player.toggle(),
    b: () => hear("before"), a: () => hear("after"), r: () => hear("removed"),
    1: () => hear("before"), 2: () => hear("after"), 3: () => hear("removed"),
    ArrowLeft: (event) => step(event.shiftKey ? -10 : -2), ArrowRight: (event) => step(event.shiftKey ? 10 : 2),
    Home: () => player.seek(0),
    l: press("loop"), "[": press("loop-start"), "]": press("loop-end"), m: press("match"), g: press("boost"),
    "+": press("zoom-in"), "=": press("zoom-in"), "-": press("zoom-out"), 0: press("zoom-fit"),
    s: press("stack"), f: press("scale"), n: () => openOther(1), p: () => openOther(-1),
  });
  const hands = { seek: (seconds) => player.seek(seconds), select, changed: draw };
  Object.values(pictures).forEach((picture) => makeTouchable(picture, hands));
}

/** Zooming by button or key keeps the playhead where it is, if it can be seen. */
function inView() {
  const { start, end } = state.view;
  return player.position >= start && player.position <= end ? player.position : (start + end) / 2;
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

function drawColours() {
  const context = byId("colours").getContext("2d");
  const image = new ImageData(256, 1);
  new Uint32Array(image.data.buffer).set(colours);
  context.putImageData(image, 0, 0);
}

const start = () => (state.index < 0 ? 0 : recordings[state.index].startSeconds);
showProgress(player, { play: byId("play"), seek: byId("seek"), time: byId("time"), start, draw });
new ResizeObserver(draw).observe(byId("pictures"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
connect();
listRecordings();
drawColours();
window.concertclean = { player, state, recordings }; // a handle for scripts
open(0).catch((error) => {
  byId("subject").textContent = `This page cannot be opened: ${error.message}`;
  throw error;
});
