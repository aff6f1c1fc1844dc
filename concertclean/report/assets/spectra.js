/* The picture of the recording, from those of the result and of what was removed, and how much these two are in step.
 *
 * Powers of a sum have a mixed term: P(a + r) = P(a) + P(r) + 2 g sqrt(P(a) P(r)), where g, from -1 to 1, is the part of a
 * and r that is in step. P(a) and P(r) are exact, from the page; g is measured on the sounds of the page with the frames of
 * the pictures. So what a codec adds or leaves out changes g only.
 */
const N_FFT = 2048;
const SLICE_MS = 12; // as long as the page may be busy at once

/** Spectra of frames of `N_FFT` samples, of two sounds at once: one is the real part, the other the imaginary part. */
class Fourier {
  constructor() {
    const n = N_FFT;
    this.re = new Float64Array(n);
    this.im = new Float64Array(n);
    this.window = Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));
    this.cos = Float64Array.from({ length: n / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / n));
    this.sin = Float64Array.from({ length: n / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / n));
    const bits = Math.log2(n);
    this.place = Uint16Array.from({ length: n }, (_, i) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit += 1) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
  }

  /** Transforms the frames of both that begin at `start`, which may lie before or behind them. */
  transform(one, other, start) {
    const { re, im, place, window } = this;
    for (let i = 0; i < N_FFT; i += 1) {
      const at = start + i;
      const isInside = at >= 0 && at < one.length;
      re[place[i]] = isInside ? window[i] * one[at] : 0;
      im[place[i]] = isInside ? window[i] * other[at] : 0;
    }
    for (let half = 1; half < N_FFT; half *= 2) this.#stage(half);
  }

  /** Joins transforms of `half` values to those of twice as many. */
  #stage(half) {
    const { re, im, cos, sin } = this;
    const stride = N_FFT / 2 / half;
    for (let first = 0; first < N_FFT; first += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const a = first + k;
        const b = a + half;
        const x = re[b] * cos[k * stride] - im[b] * sin[k * stride];
        const y = re[b] * sin[k * stride] + im[b] * cos[k * stride];
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

/** Adds powers of both sounds and their mixed term, as spectra of a frame give them. */
function addPowers({ re, im }, ofOne, ofOther, mixed) {
  for (let f = 0; f <= N_FFT / 2; f += 1) {
    const g = (N_FFT - f) % N_FFT;
    const aRe = re[f] + re[g];
    const aIm = im[f] - im[g];
    const bRe = im[f] + im[g];
    const bIm = re[g] - re[f];
    ofOne[f] += aRe * aRe + aIm * aIm;
    ofOther[f] += bRe * bRe + bIm * bIm;
    mixed[f] += aRe * bRe + aIm * bIm;
  }
}

/**
 * The levels of the sum of two sounds.
 *
 * `levels` are pictures of the two, `sounds` AudioBuffers of them, `timing` has the hop and the frames of a column. The
 * page stays usable meanwhile; null if `isWanted` says that nobody waits any more.
 */
async function levelsOfSum(levels, sounds, { hopLength, framesPerColumn }, isWanted) {
  const fourier = new Fourier();
  const { width, height } = levels[0];
  const values = new Uint8Array(width * height);
  const n = N_FFT / 2 + 1;
  const nFrames = 1 + Math.floor(sounds[0].length / hopLength);
  const channels = Array.from({ length: sounds[0].numberOfChannels }, (_, i) => sounds.map((sound) => sound.getChannelData(i)));
  let rested = performance.now();
  for (let column = 0; column < width; column += 1) {
    const powers = Array.from({ length: 3 }, () => new Float64Array(n));
    const end = Math.min(nFrames, (column + 1) * framesPerColumn);
    for (let frame = column * framesPerColumn; frame < end; frame += 1) {
      channels.forEach(([one, other]) => {
        fourier.transform(one, other, frame * hopLength - N_FFT / 2);
        addPowers(fourier, ...powers);
      });
    }
    fillColumn(values, levels, column, powers);
    if (performance.now() - rested > SLICE_MS) {
      await new Promise((done) => { setTimeout(done); });
      if (!isWanted()) return null;
      rested = performance.now();
    }
  }
  return { width, height, values };
}

function fillColumn(values, [one, other], column, [ofOne, ofOther, mixed]) {
  for (let f = 0; f < one.height; f += 1) {
    const at = (one.height - 1 - f) * one.width + column;
    const [a, b] = [POWERS[one.values[at]], POWERS[other.values[at]]];
    const scale = Math.sqrt(ofOne[f] * ofOther[f]);
    const inStep = scale > 0 ? mixed[f] / scale : 0;
    values[at] = greyOf(a + b + 2 * inStep * Math.sqrt(a * b));
  }
}
