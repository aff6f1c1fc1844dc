/* What the sliders mean for the settings of a run, and the command line that does the same. */
const NO_LIMIT_DB = 120; // last place of the slider, for models; methods without weights have no limit at all
const LAST_DB = 61;

/** Part of what was found that is subtracted; `null` decibels are no limit. As `share` of the settings of a run. */
function shareOf(strength, reductionDb) {
  return reductionDb === null ? strength : Math.min(strength, 1 - 10 ** (-reductionDb / 20));
}

/** The largest reduction that a place of the slider means. */
function reductionAt(place, hasNetworks) {
  if (place < LAST_DB) return place;
  return hasNetworks ? NO_LIMIT_DB : null;
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
  if (!result.is_whole) {
    add("--start", result.start_seconds);
    add("--duration", result.seconds);
  }
  if (wanted.format !== "wav") add("--format", wanted.format);
  if (wanted.bit_depth !== "keep") add("--bit-depth", wanted.bit_depth);
  if (wanted.loudness !== "off") add("--loudness", wanted.loudness);
  return words.join(" ");
}
