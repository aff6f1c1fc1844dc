/* The level over the whole recording, on which parts are marked: to be restored alone, or to be left as they are. */

/** The canvas and the two fields beside it; `changed` is called when a part was marked by hand. */
class Waveform {
  #peaks = [];
  #marked = null;

  constructor({ canvas, from, length, shades }) {
    Object.assign(this, { canvas, from, length, shades, seconds: 0 });
    this.#touchable();
    [from, length].forEach((field) => field.addEventListener("input", () => {
      this.#marked = this.part;
      this.draw();
    }));
  }

  /** Takes the course of the level of a recording. */
  open({ peaks, seconds }) {
    this.#peaks = peaks;
    this.#marked = null;
    this.seconds = seconds;
    this.from.max = seconds;
    this.from.value = 0;
    this.length.value = Math.min(30, Math.max(0.5, Math.floor(10 * seconds) / 10));
    this.draw();
  }

  /** Start and length of the part in the fields. */
  get part() { return [Number(this.from.value), Number(this.length.value)]; }

  /** Marks the part between two times. */
  mark(one, other) {
    this.from.value = Math.round(10 * Math.min(one, other)) / 10;
    this.length.value = Math.min(600, Math.max(0.5, Math.round(10 * Math.abs(one - other)) / 10));
    this.#marked = this.part;
    this.draw();
  }

  draw() {
    const { canvas, seconds } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !seconds) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(canvas);
    this.#drawLevel(context, width, height, style.getPropertyValue("--quiet"));
    const shade = (start, length, colour, alpha) => {
      context.globalAlpha = alpha;
      context.fillStyle = style.getPropertyValue(colour);
      context.fillRect((start / seconds) * width, 0, Math.max(2, (length / seconds) * width), height);
      context.globalAlpha = 1;
    };
    const { result, leave } = this.shades();
    if (result) shade(...result, "--accent", 0.3);
    leave.forEach(([start, end]) => {
      shade(start, end - start, "--card", 0.8);
      [start, end].forEach((at) => shade(at - seconds / width, (2 * seconds) / width, "--ink", 1));
    });
    if (this.#marked) shade(...this.#marked, "--focus", 0.35);
  }

  #drawLevel(context, width, height, colour) {
    const peaks = this.#peaks;
    const largest = Math.max(1e-3, ...peaks);
    context.fillStyle = colour;
    for (let x = 0; x < width; x += 1) {
      const [first, end] = [Math.floor((x / width) * peaks.length), Math.ceil(((x + 1) / width) * peaks.length)];
      const half = Math.max(0.5, (Math.max(...peaks.slice(first, end)) / largest) * (height / 2 - 2));
      context.fillRect(x, height / 2 - half, 1, 2 * half);
    }
  }

  #touchable() {
    const { canvas } = this;
    const at = (event) => Math.min(Math.max(0, event.offsetX / canvas.clientWidth), 1) * this.seconds;
    let start = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.seconds) return;
      canvas.setPointerCapture(event.pointerId);
      start = at(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (start !== null) this.mark(start, at(event)); });
    canvas.addEventListener("pointerup", () => { start = null; });
    canvas.addEventListener("pointercancel", () => { start = null; });
  }
}

/** Parts with one more, in order; parts that touch become one. */
function withPart(parts, [start, end]) {
  const merged = [];
  [...parts, [start, end]].sort((a, b) => a[0] - b[0]).forEach(([from, to]) => {
    const last = merged[merged.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  });
  return merged;
}
