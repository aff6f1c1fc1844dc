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
  const tables = new Map(); // most columns have one share
  const tableOf = (share) => {
    if (!tables.has(share)) tables.set(share, Uint8Array.from(POWERS, (power) => greyOf(share ** 2 * power)));
    return tables.get(share);
  };
  const shares = Array.from({ length: width }, (_, x) => shareOfColumn(x));
  const lowered = shares.map(tableOf);
  const [after, less] = [new Uint8Array(values.length), new Uint8Array(values.length)];
  for (let i = 0, x = 0; i < values.length; i += 1, x = x + 1 === width ? 0 : x + 1) {
    after[i] = greyOf(powerOf(shares[x], [POWERS[values[i]], POWERS[full.values[i]], POWERS[removed.values[i]]]));
    less[i] = lowered[x][removed.values[i]];
  }
  return [before, { ...full, values: after }, { ...removed, values: less }];
}
