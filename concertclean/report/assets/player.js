/* Several versions of one recording, played in step.
 *
 * All tracks start together on the clock of the sound card and run all the time; a version is a gain for each track. So
 * changing the version changes gains within 10 ms and cannot lose the position. A sum or difference of tracks is exact to
 * the sample.
 */
const FADE_SECONDS = 0.003; // time constant: 96 % after 10 ms

class Player extends EventTarget {
  #context = null;
  #tracks = [];
  #gains = [];
  #voice = null;
  #position = 0;
  #loop = null;
  #volume = 1;
  #out = null;

  /** Takes AudioBuffers of one length and a gain for each; stops playback and returns to the beginning. */
  load(tracks, gains) {
    this.#stop();
    this.#tracks = tracks;
    this.#gains = gains;
    this.#position = 0;
    this.#loop = null;
    this.#changed();
  }

  get tracks() { return this.#tracks; }
  get gains() { return this.#voice ? this.#voice.gains.map((node) => node.gain.value) : this.#gains; }
  get duration() { return this.#tracks.length ? this.#tracks[0].duration : 0; }
  get isPlaying() { return this.#voice !== null; }
  get loop() { return this.#loop; }
  get volume() { return this.#volume; }

  /** Factor for everything that is heard; the gains of the tracks stay as they are. */
  set volume(factor) {
    this.#volume = factor;
    if (this.#out) this.#out.gain.setTargetAtTime(factor, this.#context.currentTime, FADE_SECONDS);
  }

  /** Playback position in seconds. */
  get position() {
    if (!this.#voice) return this.#position;
    const elapsed = Math.max(0, this.#context.currentTime - this.#voice.start);
    return wrapped(this.#voice.offset + elapsed, this.#voice.loop, this.duration);
  }

  async play() {
    if (this.#voice || !this.#tracks.length) return;
    if (this.#position >= this.duration - 0.01) this.#position = 0;
    this.#open();
    await this.#context.resume();
    if (!this.#voice) this.#start(this.#position);
  }

  pause() {
    if (!this.#voice) return;
    this.#position = this.position;
    this.#stop();
    this.#changed();
  }

  toggle() { return this.isPlaying ? this.pause() : this.play(); }

  seek(seconds) {
    const wanted = Math.min(Math.max(0, seconds), this.duration);
    if (this.#voice) this.#restart(wanted);
    this.#position = wanted;
    this.#changed();
  }

  /** Takes other tracks of the same length, where playback is. */
  replace(tracks) {
    this.#tracks = tracks;
    if (this.#voice) this.#restart(this.position);
  }

  /** Sets the mix; a gain for each track. */
  mix(gains) {
    this.#gains = gains;
    if (!this.#voice) return;
    const now = this.#context.currentTime;
    this.#voice.gains.forEach((node, i) => node.gain.cancelScheduledValues(now).setTargetAtTime(gains[i], now, FADE_SECONDS));
  }

  /** Repeats from `start` to `end` seconds, or nothing for null. */
  setLoop(region) {
    this.#loop = region;
    if (this.#voice) {
      const here = this.position;
      this.#restart(region && (here < region.start || here >= region.end) ? region.start : here);
    }
    this.#changed();
  }

  #open() {
    const rate = this.#tracks[0].sampleRate;
    if (this.#context && this.#context.sampleRate === rate) return;
    if (this.#context) this.#context.close();
    this.#context = new AudioContext({ sampleRate: rate });
    this.#out = new GainNode(this.#context, { gain: this.#volume });
    this.#out.connect(this.#context.destination);
  }

  #start(offset) {
    const context = this.#context;
    const start = context.currentTime + 0.01;
    const out = new GainNode(context, { gain: offset > 0 ? 0 : 1 });
    out.gain.setTargetAtTime(1, start, FADE_SECONDS);
    out.connect(this.#out);
    const voice = { start, offset, loop: this.#loop, out, sources: [], gains: [] };
    this.#tracks.forEach((buffer, i) => {
      const source = new AudioBufferSourceNode(context, { buffer, ...looping(this.#loop) });
      const gain = new GainNode(context, { gain: this.#gains[i] });
      source.connect(gain).connect(out);
      source.start(start, offset);
      voice.sources.push(source);
      voice.gains.push(gain);
    });
    voice.sources[0].onended = () => this.#ended(voice);
    this.#voice = voice;
    this.#changed();
  }

  #restart(offset) {
    this.#stop();
    this.#start(offset);
  }

  #stop() {
    const voice = this.#voice;
    if (!voice) return;
    this.#voice = null;
    const now = this.#context.currentTime;
    voice.out.gain.cancelScheduledValues(now).setTargetAtTime(0, now, FADE_SECONDS);
    voice.sources.forEach((source) => source.stop(now + 10 * FADE_SECONDS));
  }

  #ended(voice) {
    voice.out.disconnect();
    if (this.#voice !== voice) return;
    this.#voice = null;
    this.#position = this.duration;
    this.#changed();
  }

  #changed() { this.dispatchEvent(new Event("change")); }
}

function looping(region) {
  return region ? { loop: true, loopStart: region.start, loopEnd: region.end } : {};
}

function wrapped(seconds, region, duration) {
  if (!region) return Math.min(seconds, duration);
  if (seconds < region.end) return seconds;
  return region.start + ((seconds - region.start) % (region.end - region.start));
}

function factor(db) { return 10 ** (db / 20); }

/** Bytes of a base64 block of the page. */
function bytesOf(id) {
  const text = document.getElementById(id).textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** AudioBuffer of a block, at the rate it was stored with, so no sample is changed. */
function soundOf(id, sampleRate, codec = "FLAC") {
  return new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytesOf(id).buffer).catch(() => {
    throw new Error(`this browser cannot play its sound (${codec}). Use a current Firefox, Chrome, Edge or Safari, or make the page with lossless sound`);
  });
}

function jsonOf(id) { return JSON.parse(document.getElementById(id).textContent); }

/** "1:04.2", or "1:04" without tenths. */
function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const units = Math.round(seconds * scale);
  const minutes = Math.floor(units / (60 * scale));
  const rest = ((units - minutes * 60 * scale) / scale).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
