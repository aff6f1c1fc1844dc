/* What both pages do with the three versions of a recording: which is heard, which are shown, zoom and keys. */
const VERSIONS = ["before", "after", "removed"];

class Deck {
  /**
   * `state` has `version`, `isMatched`, `isStack` and `view`; `refresh` shows and plays it after a change; `marked` is the
   * part that pictures mark, `select` receives a part that is dragged on them, `prepare` is called before they are drawn.
   */
  constructor(player, state, colours, { refresh, marked = () => player.loop, select = () => {}, prepare = () => {} }) {
    Object.assign(this, { player, state, refresh, marked, prepare });
    this.pictures = Object.fromEntries(VERSIONS.map((version) => {
      const canvas = document.querySelector(`.picture[data-version="${version}"] canvas`);
      return [version, new Spectrogram(canvas, colours)];
    }));
    const hands = { seek: (seconds) => player.seek(seconds), select, changed: () => this.draw() };
    Object.values(this.pictures).forEach((picture) => makeTouchable(picture, hands));
    drawColours(colours);
  }

  get shown() { return this.state.isStack ? VERSIONS : [this.state.version]; }

  draw() {
    if (!this.state.view) return;
    this.prepare();
    this.shown.forEach((version) => this.pictures[version].draw(this.player.position, this.marked()));
  }

  /** Takes the levels of the three pictures. */
  show(levels, timing) {
    VERSIONS.forEach((version, i) => this.pictures[version].show(levels[i], this.state.view, timing));
    this.draw();
  }

  /** Puts the state on buttons and pictures. */
  update() {
    const { state } = this;
    document.querySelectorAll("#versions button").forEach((button) => setPressed(button, button.dataset.version === state.version));
    document.querySelectorAll(".picture").forEach((node) => {
      node.classList.toggle("is-shown", this.shown.includes(node.dataset.version));
      node.classList.toggle("is-heard", node.dataset.version === state.version);
    });
    byId("pictures").classList.toggle("is-stack", state.isStack);
    setPressed(byId("match"), state.isMatched);
    setPressed(byId("stack"), state.isStack);
    this.#updateView();
  }

  #updateView() {
    const { view } = this.state;
    if (!view) return;
    setPressed(byId("scale"), view.isLog);
    byId("span").value = view.spanDb;
    byId("span-text").textContent = `${view.spanDb}\u00a0dB`;
    byId("colours-text").textContent = `${signed(view.topDb - view.spanDb)} to ${signed(view.topDb)}\u00a0dB; a full-scale sine is 0\u00a0dB`;
    this.draw();
  }

  hear(version) {
    this.state.version = version;
    this.refresh();
  }

  change(name) {
    this.state[name] = !this.state[name];
    this.refresh();
  }

  changeView(act) {
    if (!this.state.view) return;
    act(this.state.view);
    this.#updateView();
  }

  step(seconds) { this.player.seek(this.player.position + seconds); }

  /** Zooming by button or key keeps the playhead where it is, if it can be seen. */
  #zoom(scale) {
    const { start, end } = this.state.view || {};
    const { position } = this.player;
    const centre = position >= start && position <= end ? position : (start + end) / 2;
    this.changeView((view) => view.zoom(scale, centre));
  }

  /** Connects buttons and keys; `presses` are the page's own buttons by id, with `loop`, and `keys` its own keys. */
  connect(presses, keys = {}) {
    const all = {
      match: () => this.change("isMatched"),
      stack: () => {
        this.state.isStackChosen = true;
        this.change("isStack");
      },
      "zoom-in": () => this.#zoom(0.5),
      "zoom-out": () => this.#zoom(2),
      "zoom-fit": () => this.changeView((view) => view.fit()),
      scale: () => this.changeView((view) => { view.isLog = !view.isLog; }),
      ...presses,
    };
    connectVolume(this.player, byId("volume"));
    Object.entries(all).forEach(([id, act]) => onPress(byId(id), act));
    document.querySelectorAll("#versions button").forEach((button) => onPress(button, () => this.hear(button.dataset.version)));
    byId("span").addEventListener("input", () => this.changeView((view) => { view.spanDb = Number(byId("span").value); }));
    const [before, after, removed] = VERSIONS.map((version) => () => this.hear(version));
    onKeys({
      " ": () => this.player.toggle(), Home: () => this.player.seek(0),
      b: before, a: after, r: removed, 1: before, 2: after, 3: removed,
      ArrowLeft: (event) => this.step(event.shiftKey ? -10 : -2), ArrowRight: (event) => this.step(event.shiftKey ? 10 : 2),
      l: all.loop, m: all.match, s: all.stack, f: all.scale,
      "+": all["zoom-in"], "=": all["zoom-in"], "-": all["zoom-out"], 0: all["zoom-fit"],
      ...keys,
    });
  }
}

/** What was done to make before and after equally loud, from their gains in decibels. */
function matchText([before, after]) {
  const words = (name, db) => `${name} lowered by ${(-db).toFixed(1)}\u00a0dB`;
  if (before < -0.05) return words("Before", before);
  return after < -0.05 ? words("After", after) : "";
}

function signed(number) { return String(number).replace("-", "−"); }

function drawColours(colours) {
  const image = new ImageData(colours.length, 1);
  new Uint32Array(image.data.buffer).set(colours);
  byId("colours").getContext("2d").putImageData(image, 0, 0);
}
