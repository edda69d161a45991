/**
 * From similarities of regions and words to score maps: `Segmenter.scores` of zeroseg, for the rule "margin" on patches.
 *
 * A table is {values, columns}: cosines x 100, row by row.
 */

const SOFTNESS = 5; // zeroseg.scoring.SOFTNESS
const SCALE = 100; // of cosines

/** A key that is equal for labels that count as one. */
const keyOf = (label) => label.trim().replace(/\s+/g, " ").normalize("NFC").toUpperCase().toLowerCase();

/** The words to embed: [word, number of its label], -1 for background words, which come last. `entries`: {label, others}. */
export function rowsOf(entries, readOut) {
  const rows = entries.map(({ label }, k) => [label, k]);
  entries.forEach(({ others }, k) => rows.push(...others.map((word) => [word, k])));
  const asked = new Set(rows.map(([word]) => keyOf(word)));
  const background = readOut.background_words.filter((word) => !asked.has(keyOf(word)));
  return [...rows, ...background.map((word) => [word, -1])];
}

/**
 * Which words stay, and which labels are stuff. Background words that are too much like a label stand down for it.
 * `alike`: a table of the similarities of all words with all words.
 */
export function standing(rows, labels, readOut, alike) {
  const things = new Set((readOut.background_things ?? []).map(keyOf));
  const stuff = new Set(readOut.background_words.map(keyOf).filter((key) => !things.has(key)));
  const isStuff = labels.map((label) => stuff.has(keyOf(label)));
  const most = SCALE * (readOut.alike ?? 1);
  const kept = rows.map(([word, number], row) => {
    if (number >= 0 || most >= SCALE) return true;
    const same = labels.map((_, k) => best(alike, row, rows, k) > most);
    if (!things.has(keyOf(word))) same.forEach((is, k) => (isStuff[k] ||= is));
    return !same.includes(true);
  });
  return { kept, isStuff };
}

/** The maps that `probabilities` of scores.js takes, from a table of the similarities of all patches with all words. */
export function mapsOf(similarities, rows, kept, isStuff, grid, readOut) {
  const patches = grid.width * grid.height;
  const [scores, background] = [new Float32Array(isStuff.length * patches), new Float32Array(patches)];
  const standing = rows.map(([, number], n) => [null, kept[n] ? number : NaN]);
  for (let p = 0; p < patches; p += 1) {
    const level = best(similarities, p, standing, -1);
    background[p] = level === -Infinity ? 0 : level;
    for (let k = 0; k < isStuff.length; k += 1) scores[k * patches + p] = best(similarities, p, standing, k);
  }
  const labels = isStuff.map((_, k) => k + 1);
  return {
    ...grid, labels, stuff: isStuff, scores, background, presence: readOut.presence ?? 0, softness: SOFTNESS,
  };
}

function best({ values, columns }, row, rows, number) {
  let highest = -Infinity;
  for (let n = 0; n < columns; n += 1) {
    if (rows[n][1] === number) highest = Math.max(highest, values[row * columns + n]);
  }
  return highest;
}
