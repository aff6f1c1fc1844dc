/* Finer pictures of the part of a long result that is looked at. */
const MOST_TILES_SHOWN = 10; // five minutes; beyond, the picture of the whole is fine enough
const MOST_TILES_KEPT = 12; // up to 7 MB each, coloured

class Tiles {
  #kept = new Map(); // the least recently used first

  /** `fetchLevels` receives a number and resolves to the levels of before, after and removed. */
  constructor({ tile_seconds: seconds, tile_column_seconds: columnSeconds, seconds: total }, fetchLevels, arrived) {
    Object.assign(this, { seconds, columnSeconds, fetchLevels, arrived, last: Math.ceil(total / seconds) - 1 });
  }

  /** Numbers of the tiles in a view; none if they are too many. */
  within({ start, end }) {
    const [first, last] = [Math.max(0, Math.floor(start / this.seconds)), Math.min(this.last, Math.floor(end / this.seconds))];
    return last - first >= MOST_TILES_SHOWN ? [] : Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  }

  /** What there is of a view, as `made(levels, number)` makes it, once for each `key`; the rest is fetched. */
  shown(view, key, made) {
    return this.within(view).map((number) => {
      const tile = this.#kept.get(number) || this.#fetch(number);
      this.#kept.delete(number);
      this.#kept.set(number, tile);
      if (!tile.levels) return null;
      if (tile.key !== key) Object.assign(tile, { key, made: made(tile.levels, number) });
      return { number, levels: tile.made };
    }).filter(Boolean);
  }

  /** Columns of a tile on the clock of the result. */
  timing(number, leadSeconds) {
    return { columnSeconds: this.columnSeconds, leadSeconds: leadSeconds - number * this.seconds };
  }

  #fetch(number) {
    const tile = { levels: null, key: null, made: null };
    while (this.#kept.size >= MOST_TILES_KEPT) this.#kept.delete(this.#kept.keys().next().value);
    this.fetchLevels(number).then((levels) => { tile.levels = levels; this.arrived(); }, () => this.#kept.delete(number));
    return tile;
  }
}
