/* What a strength does, without computing anything again: out = recording - share x residual.
 *
 * Powers of such a sum are quadratic in the share: (1 - s) P(recording) + s P(result at 1) + (s^2 - s) P(residual). So the
 * loudness and the spectrogram of any result follow from those of three sounds.
 */
const LARGEST_MATCH_DB = 12;

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

/**
 * Gains of two tracks, both stored lower by `gain`: the recording without `lack` times the residual, and the residual.
 * `lack` is 0 where the first track is the recording itself, and 1 where it is the result.
 */
function gainsOf(version, share, gain, [beforeDb, afterDb], lack = 0) {
  const [before, after] = [factor(beforeDb) / gain, factor(afterDb) / gain];
  return {
    before: [before, lack * before],
    after: [after, (lack - share) * after],
    removed: [0, share / gain],
  }[version];
}

const POWERS = Float64Array.from({ length: 256 }, (_, value) => 10 ** ((value / 2 + FLOOR_DB) / 10));

/** Grey value of a power, as the pictures of the server have it. */
function greyOf(power) { return power > 0 ? Math.min(255, Math.max(0, Math.round(2 * (10 * Math.log10(power) - FLOOR_DB)))) : 0; }

/** Levels of before, after and removed at a share of each column, from those at full strength. */
function levelsAt(shareOfColumn, [before, full, removed]) {
  const { width, values } = before;
  const [after, lowered] = [new Uint8Array(values.length), new Uint8Array(values.length)];
  for (let x = 0; x < width; x += 1) {
    const share = shareOfColumn(x);
    for (let i = x; i < values.length; i += width) {
      after[i] = greyOf(powerOf(share, [POWERS[values[i]], POWERS[full.values[i]], POWERS[removed.values[i]]]));
      lowered[i] = greyOf(share ** 2 * POWERS[removed.values[i]]);
    }
  }
  return [before, { ...full, values: after }, { ...removed, values: lowered }];
}
