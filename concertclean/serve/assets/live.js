/* What the sliders mean for the settings of a run, and the command line that does the same. */
const NO_LIMIT_DB = 120; // last place of the slider, for models; methods without weights have no limit at all
const LAST_DB = 61;
const LEAVE_FADE_SECONDS = 0.3;

/** Part of what was found that is subtracted; `null` decibels are no limit. As `share` of the settings of a run. */
function shareOf(strength, reductionDb) {
  return reductionDb === null ? strength : Math.min(strength, 1 - 10 ** (-reductionDb / 20));
}

/** The largest reduction that a place of the slider means. */
function reductionAt(place, hasNetworks) {
  if (place < LAST_DB) return place;
  return hasNetworks ? NO_LIMIT_DB : null;
}

/** The place of the slider for a largest reduction; `null` is no limit. */
function placeOf(decibels) { return decibels === null ? LAST_DB : Math.min(LAST_DB, decibels); }

/** Part of what was found that is removed at a time of the recording, where parts are left alone. */
function shareLeft(seconds, leave) {
  return leave.reduce((share, [start, end]) => {
    const distance = Math.max(start - seconds, seconds - end, 0) / LEAVE_FADE_SECONDS;
    return share * (0.5 - 0.5 * Math.cos(Math.PI * Math.min(1, distance)));
  }, 1);
}

/** What is removed, less where parts are left alone; the buffer itself if there are none in it. */
function fadedOut(buffer, leave, startSeconds) {
  const { length, sampleRate, numberOfChannels } = buffer;
  const sampleOf = (seconds) => Math.min(length, Math.max(0, Math.floor((seconds - startSeconds) * sampleRate)));
  const spans = leave.map((part) => ({
    part, first: sampleOf(part[0] - LEAVE_FADE_SECONDS), end: sampleOf(part[1] + LEAVE_FADE_SECONDS + 2 / sampleRate),
  })).filter(({ first, end }) => end > first);
  if (!spans.length) return buffer;
  const faded = new AudioBuffer({ length, sampleRate, numberOfChannels });
  for (let channel = 0; channel < numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel).slice();
    spans.forEach(({ part, first, end }) => {
      for (let i = first; i < end; i += 1) samples[i] *= shareLeft(startSeconds + i / sampleRate, [part]);
    });
    faded.copyToChannel(samples, channel);
  }
  return faded;
}

/** A word of a command line as a shell takes it. */
function quoted(word) {
  const plain = word.startsWith("-") ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`;
}

/** The command line that writes the same file. */
function commandOf(job, wanted) {
  const { result } = job;
  const words = ["concertclean denoise", quoted(job.file || job.name)];
  const add = (flag, value) => words.push(flag, String(value));
  if (result.model) add("--model", result.model);
  if (wanted.strength < 1) add("--strength", wanted.strength);
  if (wanted.max_reduction_db !== null) add("--max-reduction", wanted.max_reduction_db);
  if (wanted.leave.length) add("--leave", wanted.leave.map(([start, end]) => `${start}-${end}`).join(","));
  if (!result.is_whole) {
    add("--start", result.start_seconds);
    add("--duration", result.seconds);
  }
  if (wanted.format !== "auto") add("--format", wanted.format);
  if (wanted.bit_depth !== "keep") add("--bit-depth", wanted.bit_depth);
  if (wanted.loudness !== "off") add("--loudness", wanted.loudness);
  return words.join(" ");
}
