/* What the sliders do, without asking the server: out = recording - share x residual.
 *
 * Powers of such a sum are quadratic in the share: (1 - s) P(recording) + s P(result at 1) + (s^2 - s) P(residual). So the
 * loudness and the spectrogram of any result follow from those of three sounds.
 */
const NO_LIMIT_DB = 120; // last place of the slider, for models; methods without weights have no limit at all
const LAST_DB = 61;
const LARGEST_MATCH_DB = 12;

/** Part of what was found that is subtracted; `null` decibels are no limit. As `share` of the settings of a run. */
function shareOf(strength, reductionDb) {
  return reductionDb === null ? strength : Math.min(strength, 1 - 10 ** (-reductionDb / 20));
}

/** The largest reduction that a place of the slider means. */
function reductionAt(place, hasNetworks) {
  if (place < LAST_DB) return place;
  return hasNetworks ? NO_LIMIT_DB : null;
}

function powerOf(share, [before, full, removed]) {
  return Math.max(0, (1 - share) * before + share * full + (share ** 2 - share) * removed);
}

/** Gains in decibels that make before and after equally loud; the louder one is lowered. */
function matchOf(share, lufs) {
  const powers = lufs.map((level) => (level === null ? 0 : 10 ** (level / 10)));
  const after = powerOf(share, powers);
  if (!powers[0] || !after) return [0, 0];
  const excess = 10 * Math.log10(powers[0] / after);
  const limited = Math.min(Math.max(excess, -LARGEST_MATCH_DB), LARGEST_MATCH_DB);
  return [Math.min(0, -limited), Math.min(0, limited)];
}

/** Gains of the two tracks, recording and residual, both stored lower by `gain`. */
function gainsOf(version, share, gain, [beforeDb, afterDb]) {
  const after = factor(afterDb) / gain;
  return {
    before: [factor(beforeDb) / gain, 0],
    after: [after, -share * after],
    removed: [0, share / gain],
  }[version];
}

const POWERS = Float64Array.from({ length: 256 }, (_, value) => 10 ** ((value / 2 + FLOOR_DB) / 10));

/** Grey value of a power, as the pictures of the server have it. */
function greyOf(power) { return power > 0 ? Math.min(255, Math.max(0, Math.round(2 * (10 * Math.log10(power) - FLOOR_DB)))) : 0; }

/** Levels of before, after and removed at a share, from those at full strength. */
function levelsAt(share, [before, full, removed]) {
  const after = new Uint8Array(before.values.length);
  for (let i = 0; i < after.length; i += 1) {
    after[i] = greyOf(powerOf(share, [POWERS[before.values[i]], POWERS[full.values[i]], POWERS[removed.values[i]]]));
  }
  const lowered = Uint8Array.from(POWERS, (power) => greyOf(share ** 2 * power));
  return [before, { ...full, values: after }, { ...removed, values: removed.values.map((value) => lowered[value]) }];
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
