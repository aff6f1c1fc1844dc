/* Long results, played from a stream that holds the recording and what is removed as channels of one file. */

/** The interface of `Player` for a stream; two "tracks" that are always in step, because one clock carries both. */
class StreamPlayer extends EventTarget {
  #audio = null;
  #context = null;
  #mixers = [];
  #gains = [0, 0];
  #loop = null;
  #duration = 0;
  #channels = 2;
  #timer = 0;
  #volume = 1;
  #out = null;

  constructor() {
    super();
    this.#renew();
    this.shareAt = () => 1; // of what is removed, at a time of the stream
  }

  /** Takes the address of a stream; stops playback and returns to the beginning. */
  load(address, seconds, channels) {
    this.#audio.pause();
    if (channels !== this.#channels) this.#renew();
    if (address) this.#audio.src = address;
    else this.#audio.removeAttribute("src");
    [this.#duration, this.#channels, this.#loop] = [seconds, channels, null];
    this.#changed();
  }

  get tracks() { return []; }
  get gains() { return this.#gains; }
  get duration() { return this.#duration; }
  get isPlaying() { return !this.#audio.paused; }
  get loop() { return this.#loop; }
  get volume() { return this.#volume; }
  set volume(factor) {
    this.#volume = factor;
    this.#out?.gain.setTargetAtTime(factor, this.#context.currentTime, FADE_SECONDS);
  }
  get position() { return Math.min(this.#audio.currentTime, this.#duration); }
  /** Where what plays can be looked at: a node for each of the two tracks, after its gain; for scripts. */
  get mixers() { return this.#mixers; }

  async play() {
    this.#open();
    if (this.position >= this.#duration - 0.01) this.#audio.currentTime = 0;
    await this.#context.resume();
    await this.#audio.play();
  }

  pause() { this.#audio.pause(); }
  toggle() { return this.isPlaying ? this.pause() : this.play(); }

  seek(seconds) {
    this.#audio.currentTime = Math.min(Math.max(0, seconds), this.#duration);
    this.#changed();
  }

  mix(gains) {
    this.#gains = gains;
    this.#follow();
  }

  setLoop(region) {
    this.#loop = region;
    if (region && (this.position < region.start || this.position >= region.end)) this.seek(region.start);
    this.#changed();
  }

  #open() {
    if (this.#context) return;
    this.#context = new AudioContext();
    const source = new MediaElementAudioSourceNode(this.#context, { mediaElement: this.#audio });
    const splitter = new ChannelSplitterNode(this.#context, { numberOfOutputs: 2 * this.#channels });
    const merger = new ChannelMergerNode(this.#context, { numberOfInputs: 2 });
    source.connect(splitter);
    this.#mixers = [0, 1].map((track) => {
      const gain = new GainNode(this.#context, { gain: this.#gains[track], channelCount: 2, channelCountMode: "explicit" });
      const pair = new ChannelMergerNode(this.#context, { numberOfInputs: 2 });
      [0, 1].forEach((side) => splitter.connect(pair, track * this.#channels + Math.min(side, this.#channels - 1), side));
      pair.connect(gain);
      const sides = new ChannelSplitterNode(this.#context, { numberOfOutputs: 2 });
      gain.connect(sides);
      [0, 1].forEach((side) => sides.connect(merger, side, side));
      return gain;
    });
    this.#out = new GainNode(this.#context, { gain: this.#volume });
    merger.connect(this.#out).connect(this.#context.destination);
  }

  /** An element belongs to its context for good, so another number of channels needs another one. */
  #renew() {
    this.#context?.close();
    [this.#context, this.#out, this.#mixers] = [null, null, []];
    this.#audio = new Audio();
    ["play", "pause", "seeked", "ended"].forEach((name) => this.#audio.addEventListener(name, () => this.#changed()));
  }

  /** Gains as they are wanted at this moment; parts that are left alone are faded by a timer, every 20 ms. */
  #follow() {
    if (!this.#context) return;
    const now = this.#context.currentTime;
    const wanted = [this.#gains[0], this.#gains[1] * this.shareAt(this.position)];
    this.#mixers.forEach((node, i) => node.gain.cancelScheduledValues(now).setTargetAtTime(wanted[i], now, FADE_SECONDS));
    if (this.#loop && this.position >= this.#loop.end) this.#audio.currentTime = this.#loop.start;
  }

  #changed() {
    clearInterval(this.#timer);
    this.#follow();
    if (this.isPlaying) this.#timer = setInterval(() => this.#follow(), 20);
    this.dispatchEvent(new Event("change"));
  }
}

/** What the page plays: exact tracks of a short result, or the stream of a long one. */
class Sound extends EventTarget {
  #exact = new Player();
  #stream = new StreamPlayer();
  #now = this.#exact;

  constructor() {
    super();
    [this.#exact, this.#stream].forEach((one) => one.addEventListener("change", () => {
      if (one === this.#now) this.dispatchEvent(new Event("change"));
    }));
  }

  loadTracks(tracks) {
    this.#stream.load("", 0, 2);
    this.#now = this.#exact;
    this.#exact.load(tracks, tracks.map(() => 0));
  }

  loadStream(address, seconds, channels) {
    this.#exact.load([], []);
    this.#now = this.#stream;
    this.#stream.load(address, seconds, channels);
  }

  /** Parts left alone: other tracks where they are exact, else a function of the time. */
  fade(tracks, shareAt) {
    if (this.#now === this.#exact) this.#exact.replace(tracks);
    this.#stream.shareAt = shareAt;
  }

  get volume() { return this.#exact.volume; }
  set volume(factor) { [this.#exact, this.#stream].forEach((one) => { one.volume = factor; }); }
  get isStream() { return this.#now === this.#stream; }
  get mixers() { return this.#stream.mixers; }
  get tracks() { return this.#now.tracks; }
  get gains() { return this.#now.gains; }
  get duration() { return this.#now.duration; }
  get isPlaying() { return this.#now.isPlaying; }
  get loop() { return this.#now.loop; }
  get position() { return this.#now.position; }
  play() { return this.#now.play(); }
  pause() { this.#now.pause(); }
  toggle() { return this.#now.toggle(); }
  seek(seconds) { this.#now.seek(seconds); }
  mix(gains) { this.#now.mix(gains); }
  setLoop(region) { this.#now.setLoop(region); }
}
