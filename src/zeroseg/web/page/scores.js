/**
 * From score maps to the label of every pixel, as the server does it (zeroseg/rules/margin.py, zeroseg/scoring.py), so
 * that the background threshold moves without a request. Pure functions.
 *
 * Letters: K label with a map, P patch, h w patches of the grid. Arrays go label by label, row by row.
 */

/** The `maps` of an answer with numbers in place of base64: `scores` [K P], `background` [P]. */
export function unpacked(maps) {
  return { ...maps, scores: halves(maps.scores), background: halves(maps.background) };
}

/**
 * The probability of every label in every patch for a margin: `values` [(1 + K) P], the background first; `labels` are
 * the numbers of the labels in masks, 0 for the background.
 */
export function probabilities(maps, margin) {
  const patches = maps.height * maps.width;
  const level = maps.background.map((score) => score + margin);
  const rows = maps.labels.map((_, k) => {
    const scores = maps.scores.subarray(k * patches, (k + 1) * patches);
    return maps.stuff[k] ? scores.map((score) => score + margin) : scores;
  });
  const present = rows.filter((scores, k) => maps.stuff[k] || !maps.presence || lead(scores, level) >= maps.presence);
  const values = new Float32Array((1 + rows.length) * patches);
  for (let p = 0; p < patches; p += 1) {
    let highest = level[p];
    for (const scores of present) highest = Math.max(highest, scores[p]);
    const likely = (score) => Math.exp((score - highest) / maps.softness);
    let sum = likely(level[p]);
    for (const scores of present) sum += likely(scores[p]);
    values[p] = likely(level[p]) / sum;
    rows.forEach((scores, k) => {
      if (present.includes(scores)) values[(1 + k) * patches + p] = likely(scores[p]) / sum;
    });
  }
  return { height: maps.height, width: maps.width, labels: [0, ...maps.labels], values };
}

/** By how much the best label leads the background: the least and the most of all patches, stuff without its offset. */
export function leads(maps) {
  const patches = maps.height * maps.width;
  let [least, most] = [Infinity, -Infinity];
  for (let p = 0; p < patches && maps.labels.length; p += 1) {
    let best = -Infinity;
    for (let k = 0; k < maps.labels.length; k += 1) best = Math.max(best, maps.scores[k * patches + p]);
    least = Math.min(least, best - maps.background[p]);
    most = Math.max(most, best - maps.background[p]);
  }
  return [least, most];
}

/**
 * The label of each pixel of a picture of this size: the highest of the maps, interpolated bilinearly
 * (align_corners=False). Between four patches only those labels are compared that no other one exceeds in all four.
 */
export function labelMap(likely, width, height) {
  const found = new Uint16Array(width * height);
  const across = places(likely.width, width);
  const down = places(likely.height, height);
  for (const [top, firstRow, endRow] of spans(down)) {
    for (const [left, firstColumn, endColumn] of spans(across)) {
      const corners = contenders(likely, top, left);
      for (let y = firstRow; y < endRow; y += 1) {
        const b = down[y] - top;
        for (let x = firstColumn; x < endColumn; x += 1) {
          found[y * width + x] = corners.length > 1 ? highest(corners, across[x] - left, b) : corners[0].label;
        }
      }
    }
  }
  return found;
}

/** The probability of each label at one pixel of a picture of this size, in the order of `likely.labels`. */
export function at(likely, x, y, width, height) {
  const [across, down] = [place(likely.width, width, x), place(likely.height, height, y)];
  const [left, top] = [Math.floor(across), Math.floor(down)];
  return likely.labels.map((_, k) => blend(cornersOf(likely, k, top, left), across - left, down - top));
}

function lead(scores, level) {
  return scores.reduce((most, score, p) => Math.max(most, score - level[p]), -Infinity);
}

/** Where a pixel lies in the grid, in patches from the centre of the first one; edges repeat. */
function place(cells, pixels, pixel) {
  return Math.min(Math.max(((pixel + 0.5) * cells) / pixels - 0.5, 0), cells - 1);
}

function places(cells, pixels) {
  return Float64Array.from({ length: pixels }, (_, pixel) => place(cells, pixels, pixel));
}

/** Pixels with the same patch before them: [patch, first pixel, end]. */
function* spans(where) {
  for (let first = 0, end = 0; first < where.length; first = end) {
    const patch = Math.floor(where[first]);
    while (end < where.length && Math.floor(where[end]) === patch) end += 1;
    yield [patch, first, end];
  }
}

function cornersOf(likely, k, top, left) {
  const { width, height, values } = likely;
  const right = Math.min(left + 1, width - 1);
  const [row, below] = [top, Math.min(top + 1, height - 1)].map((y) => (k * height + y) * width);
  return { label: likely.labels[k], a: values[row + left], b: values[row + right],
    c: values[below + left], d: values[below + right] };
}

function contenders(likely, top, left) {
  const all = likely.labels.map((_, k) => cornersOf(likely, k, top, left));
  const leaders = ["a", "b", "c", "d"].map((corner) => all.reduce((m, n) => (n[corner] > m[corner] ? n : m)));
  return all.filter((m) => !leaders.some((n) => m.a < n.a && m.b < n.b && m.c < n.c && m.d < n.d));
}

function blend({ a, b, c, d }, right, below) {
  return (a * (1 - right) + b * right) * (1 - below) + (c * (1 - right) + d * right) * below;
}

function highest(corners, right, below) {
  let [best, label] = [-1, 0];
  for (const corner of corners) {
    const value = blend(corner, right, below);
    if (value > best) [best, label] = [value, corner.label];
  }
  return label;
}

/** Numbers from little-endian float16 in base64. */
function halves(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Float32Array.from({ length: bytes.length / 2 }, (_, n) => half(bytes[2 * n] | (bytes[2 * n + 1] << 8)));
}

function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}
