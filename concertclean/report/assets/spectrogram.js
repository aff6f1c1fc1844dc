/* Spectrograms on canvases that share one view: what time, what frequencies, which colours. */
const LEFT = 46;
const BOTTOM = 22;
const ROWS = 600;
const FLOOR_DB = -120;
const LOWEST_HZ = 40;

/** The view shared by all spectrograms of a recording. */
class View {
  constructor({ seconds, topHz, startSeconds, rangeDb }) {
    Object.assign(this, { seconds, topHz, startSeconds, topDb: rangeDb[1], spanDb: rangeDb[1] - rangeDb[0] });
    this.isLog = true;
    this.fit();
  }

  fit() { Object.assign(this, { start: 0, end: this.seconds, low: 0, high: 1 }); }

  zoom(scale, centre = (this.start + this.end) / 2) {
    const span = Math.min(this.seconds, Math.max(0.05, (this.end - this.start) * scale));
    const share = (centre - this.start) / (this.end - this.start);
    this.#show(centre - share * span, span);
  }

  pan(seconds) { this.#show(this.start + seconds, this.end - this.start); }

  #show(start, span) {
    this.start = Math.min(Math.max(0, start), this.seconds - span);
    this.end = this.start + span;
  }

  /** Frequency axis; positions are shares of the whole axis from below. */
  zoomFrequency(scale, centre) {
    const span = Math.min(1, Math.max(0.05, (this.high - this.low) * scale));
    const share = (centre - this.low) / (this.high - this.low);
    this.panFrequency(centre - share * span - this.low, span);
  }

  panFrequency(by, span = this.high - this.low) {
    this.low = Math.min(Math.max(0, this.low + by), 1 - span);
    this.high = this.low + span;
  }

  hzAt(place) { return this.isLog ? LOWEST_HZ * (this.topHz / LOWEST_HZ) ** place : place * this.topHz; }
  placeOf(hz) { return this.isLog ? Math.log(hz / LOWEST_HZ) / Math.log(this.topHz / LOWEST_HZ) : hz / this.topHz; }
}

/** Levels of a grey picture, a PNG as a Blob: one byte per point, rows from high to low frequencies. */
async function levelsOf(png) {
  const image = await createImageBitmap(png, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  image.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const values = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < values.length; i += 1) values[i] = pixels[4 * i];
  return { width: canvas.width, height: canvas.height, values };
}

/** One row of levels at a position on the frequency axis that is `width` wide: between two rows, or the largest of many. */
function rowAt(levels, view, place, width) {
  const last = levels.height - 1;
  const rowOf = (at) => last * (1 - Math.min(1, view.hzAt(at) / view.topHz));
  const [first, end] = [rowOf(place + width / 2), rowOf(place - width / 2)];
  const row = new Float32Array(levels.width);
  if (end - first <= 1) {
    const middle = Math.min(Math.max(0, rowOf(place)), last);
    const above = Math.min(Math.floor(middle), last - 1);
    const share = middle - above;
    const [a, b] = [above * levels.width, (above + 1) * levels.width];
    for (let x = 0; x < row.length; x += 1) row[x] = levels.values[a + x] * (1 - share) + levels.values[b + x] * share;
    return row;
  }
  for (let y = Math.max(0, Math.ceil(first)); y <= Math.min(last, Math.floor(end)); y += 1) {
    for (let x = 0; x < row.length; x += 1) row[x] = Math.max(row[x], levels.values[y * levels.width + x]);
  }
  return row;
}

/** The coloured picture, `ROWS` high, of the span of the view's frequency axis. */
function coloured(levels, view, palette) {
  const image = new ImageData(levels.width, ROWS);
  const pixels = new Uint32Array(image.data.buffer);
  const bottomDb = view.topDb - view.spanDb;
  for (let y = 0; y < ROWS; y += 1) {
    const row = rowAt(levels, view, 1 - (y + 0.5) / ROWS, 1 / ROWS);
    for (let x = 0; x < row.length; x += 1) {
      const share = (row[x] / 2 + FLOOR_DB - bottomDb) / view.spanDb;
      pixels[y * levels.width + x] = palette[Math.min(255, Math.max(0, Math.round(255 * share)))];
    }
  }
  const canvas = new OffscreenCanvas(levels.width, ROWS);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** 256 pixels, as a little-endian machine stores them, from the page's RRGGBB. */
function paletteOf(hex) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(6 * i + at, 6 * i + at + 2), 16));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

class Spectrogram {
  #images = new WeakMap(); // of levels

  /** Draws into a canvas; `timing` maps columns of the picture to time. `details` are finer pictures of parts. */
  constructor(canvas, palette) {
    Object.assign(this, { canvas, palette, levels: null, view: null, timing: null, details: [] });
  }

  show(levels, view, timing) { Object.assign(this, { levels, view, timing, details: [] }); }

  timeAt(x) {
    const { start, end } = this.view;
    return start + ((x - LEFT) / (this.canvas.clientWidth - LEFT)) * (end - start);
  }

  placeAt(y) {
    const { low, high } = this.view;
    return low + (1 - y / (this.canvas.clientHeight - BOTTOM)) * (high - low);
  }

  draw(position, loop) {
    const { canvas, view } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!this.levels || !width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const box = { width: width - LEFT, height: height - BOTTOM };
    context.fillStyle = "#000004";
    context.fillRect(LEFT, 0, box.width, box.height);
    [this, ...this.details].forEach((picture) => this.#drawImage(context, box, picture));
    drawAxes(context, box, view, getComputedStyle(canvas));
    const xOf = (seconds) => LEFT + ((seconds - view.start) / (view.end - view.start)) * box.width;
    if (loop) drawLoop(context, box, xOf(loop.start), xOf(loop.end));
    drawHead(context, box, xOf(position));
  }

  #drawImage(context, box, { levels, timing }) {
    const { view } = this;
    const wanted = [view.isLog, view.topDb, view.spanDb].join();
    if (this.#images.get(levels)?.wanted !== wanted) this.#images.set(levels, { wanted, image: coloured(levels, view, this.palette) });
    const { image } = this.#images.get(levels);
    const columnOf = (seconds) => (seconds + timing.leadSeconds) / timing.columnSeconds;
    const [first, last] = [columnOf(view.start), columnOf(view.end)];
    const top = (1 - view.high) * ROWS;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, first, top, last - first, (view.high - view.low) * ROWS, LEFT, 0, box.width, box.height);
  }
}

function drawLoop(context, box, from, to) {
  const [left, right] = [Math.max(LEFT, from), Math.min(LEFT + box.width, to)];
  if (right <= left) return;
  context.fillStyle = "#7fe3ff";
  context.fillRect(left, 0, right - left, 5);
  [from, to].filter((x) => x >= LEFT - 1).forEach((x) => context.fillRect(x - 1, 0, 2, box.height));
}

function drawHead(context, box, x) {
  if (x < LEFT - 1 || x > LEFT + box.width + 1) return;
  context.fillStyle = "rgb(0 0 0 / 70%)";
  context.fillRect(x - 1.5, 0, 3, box.height);
  context.fillStyle = "#ffffff";
  context.fillRect(x - 0.75, 0, 1.5, box.height);
}

function drawAxes(context, box, view, style) {
  context.fillStyle = style.getPropertyValue("--quiet");
  context.font = `12px ${style.fontFamily}`;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const hz of frequencyTicks(view, box.height)) {
    const y = box.height * (1 - (view.placeOf(hz) - view.low) / (view.high - view.low));
    context.fillRect(LEFT - 5, y - 0.5, 5, 1);
    context.fillText(hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`, LEFT - 7, Math.min(Math.max(7, y), box.height - 7), LEFT - 8);
  }
  context.textAlign = "center";
  const { step, digits } = timeStep((view.end - view.start) / (box.width / 90));
  for (let i = Math.ceil((view.start + view.startSeconds) / step); ; i += 1) {
    const at = i * step - view.startSeconds;
    if (at > view.end + 1e-9) break;
    const x = LEFT + ((at - view.start) / (view.end - view.start)) * box.width;
    context.fillRect(x - 0.5, box.height, 1, 4);
    const label = clock(i * step, digits);
    const half = context.measureText(label).width / 2;
    context.fillText(label, Math.min(x, LEFT + box.width - half), box.height + 13);
  }
}

function frequencyTicks(view, height) {
  const every = view.isLog ? [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000] : linearTicks(view, height);
  const finer = view.isLog && view.high - view.low < 0.5 ? [70, 150, 300, 400, 700, 1500, 3000, 4000, 7000, 15000] : [];
  return [...every, ...finer].filter((hz) => {
    const place = view.placeOf(hz);
    return hz > 0 && place >= view.low - 1e-9 && place <= view.high + 1e-9;
  });
}

function linearTicks(view, height) {
  const most = Math.max(2, height / 40);
  const span = view.topHz * (view.high - view.low);
  const step = [100, 200, 500, 1000, 2000, 5000, 10000].find((hz) => span / hz <= most) || 20000;
  return Array.from({ length: Math.ceil(view.topHz / step) + 1 }, (_, i) => i * step);
}

function timeStep(atLeast) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
  const step = steps.find((seconds) => seconds >= atLeast) || 1800;
  return { step, digits: step < 0.1 ? 2 : step < 1 ? 1 : 0 };
}

/** Mouse, finger and wheel on a spectrogram: seek, move, select a loop, zoom. */
function makeTouchable(spectrogram, { seek, select, changed }) {
  const { canvas } = spectrogram;
  let press = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    press = { x: event.offsetX, y: event.offsetY, lastX: event.offsetX, lastY: event.offsetY, isDrag: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!press) return;
    press.isDrag ||= Math.hypot(event.offsetX - press.x, event.offsetY - press.y) > 4;
    if (!press.isDrag) return;
    if (event.shiftKey) select(spectrogram.timeAt(press.x), spectrogram.timeAt(event.offsetX), false);
    else move(spectrogram, press, event);
    Object.assign(press, { lastX: event.offsetX, lastY: event.offsetY });
    changed();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!press) return;
    if (!press.isDrag) seek(spectrogram.timeAt(event.offsetX));
    else if (event.shiftKey) select(spectrogram.timeAt(press.x), spectrogram.timeAt(event.offsetX), true);
    press = null;
  });
  canvas.addEventListener("pointercancel", () => { press = null; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    turn(spectrogram, event);
    changed();
  }, { passive: false });
}

function move(spectrogram, press, event) {
  const { view } = spectrogram;
  view.pan(spectrogram.timeAt(press.lastX) - spectrogram.timeAt(event.offsetX));
  view.panFrequency(spectrogram.placeAt(press.lastY) - spectrogram.placeAt(event.offsetY));
}

function turn(spectrogram, event) {
  const { view } = spectrogram;
  const scale = 1.0015 ** event.deltaY;
  if (event.offsetX < LEFT) view.zoomFrequency(scale, spectrogram.placeAt(event.offsetY));
  else view.zoom(scale, spectrogram.timeAt(event.offsetX));
  if (event.deltaX) view.pan((event.deltaX / spectrogram.canvas.clientWidth) * (view.end - view.start));
}
