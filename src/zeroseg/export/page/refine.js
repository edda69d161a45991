/**
 * Masks that follow the picture's edges: PAMR, as zeroseg/refine.py does it; and small areas, as zeroseg/components.py.
 * Maps are {height, width, labels, values}, label by label, row by row.
 */

const DILATIONS = [1, 2, 4, 8, 12, 24];
const FAR = 24;
const [SPREAD, TINY] = [0.1, 1e-8];
const NEIGHBOURS = DILATIONS.flatMap((far) =>
  [-far, 0, far].flatMap((down) => [-far, 0, far].filter((across) => down || across).map((across) => [down, across])),
);

/** The maps at the size of the picture ({values, width, height}), refined by it in some iterations. */
export function refined(maps, picture, iterations) {
  const [{ width, height }, count] = [picture, maps.labels.length];
  const [pixels, shares] = [width * height, affinities(picture)];
  const values = enlarged(maps, width, height);
  for (let round = 0; round < iterations; round += 1) {
    for (let k = 0; k < count; k += 1) {
      const map = values.subarray(k * pixels, (k + 1) * pixels);
      const around = padded(map, width, height);
      map.fill(0);
      eachNeighbour(width, height, (n, inner, outer) => {
        const share = shares.subarray(n * pixels);
        for (let x = 0; x < width; x += 1) map[inner + x] += share[inner + x] * around[outer + x];
      });
    }
  }
  return { height, width, labels: maps.labels, values };
}

/** The weight of each neighbour for each pixel: they sum to 1. */
function affinities({ values, width, height }) {
  const pixels = width * height;
  const likeness = new Float32Array(NEIGHBOURS.length * pixels);
  for (let channel = 0; channel < 3; channel += 1) {
    const own = values.subarray(channel * pixels, (channel + 1) * pixels);
    const around = padded(own, width, height);
    const scale = scales(own, around, width, height);
    eachNeighbour(width, height, (n, inner, outer) => {
      const alike = likeness.subarray(n * pixels);
      for (let x = inner; x < inner + width; x += 1) {
        alike[x] += Math.abs(around[outer + x - inner] - own[x]) * scale[x];
      }
    });
  }
  for (let p = 0; p < pixels; p += 1) softmax(likeness, p, pixels);
  return likeness;
}

/** What a pixel's differences of a colour are multiplied with: less where colours differ anyway. */
function scales(own, around, width, height) {
  const [total, squares] = [new Float32Array(own.length), new Float32Array(own.length)];
  eachNeighbour(width, height, (_, inner, outer) => {
    for (let x = inner; x < inner + width; x += 1) {
      const difference = around[outer + x - inner] - own[x];
      total[x] += difference;
      squares[x] += difference * difference;
    }
  });
  const count = NEIGHBOURS.length + DILATIONS.length;
  return total.map((sum, p) => {
    const variance = (squares[p] - (sum * sum) / count) / (count - 1);
    return -1 / ((SPREAD * Math.sqrt(Math.max(0, variance)) + TINY) * 3);
  });
}

function softmax(values, start, step) {
  let [highest, sum] = [-Infinity, 0];
  for (let n = start; n < values.length; n += step) highest = Math.max(highest, values[n]);
  for (let n = start; n < values.length; n += step) sum += values[n] = Math.exp(values[n] - highest);
  for (let n = start; n < values.length; n += step) values[n] /= sum;
}

/** Call with the number of each neighbour and the places of each row: in the map, and in its padded copy. */
function eachNeighbour(width, height, work) {
  NEIGHBOURS.forEach(([down, across], n) => {
    for (let y = 0; y < height; y += 1) work(n, y * width, (FAR + y + down) * (width + 2 * FAR) + FAR + across);
  });
}

/** A copy whose edge pixels are repeated. */
function padded(map, width, height) {
  const [wide, high] = [width + 2 * FAR, height + 2 * FAR];
  const copy = new Float32Array(wide * high);
  for (let y = 0; y < high; y += 1) {
    const row = map.subarray(Math.min(Math.max(y - FAR, 0), height - 1) * width).subarray(0, width);
    copy.fill(row[0], y * wide, y * wide + FAR);
    copy.set(row, y * wide + FAR);
    copy.fill(row[width - 1], y * wide + FAR + width, (y + 1) * wide);
  }
  return copy;
}

/** Maps at another size, bilinear (align_corners=False). */
function enlarged({ height, width, labels, values }, wide, high) {
  const found = new Float32Array(labels.length * wide * high);
  const [across, down] = [places(width, wide), places(height, high)];
  for (let k = 0, n = 0; k < labels.length; k += 1) {
    for (const [top, bottom, below] of down) {
      const [above, under] = [(k * height + top) * width, (k * height + bottom) * width];
      for (const [left, right, beside] of across) {
        const one = values[above + left] * (1 - beside) + values[above + right] * beside;
        const other = values[under + left] * (1 - beside) + values[under + right] * beside;
        found[n] = one * (1 - below) + other * below;
        n += 1;
      }
    }
  }
  return found;
}

function places(cells, pixels) {
  return Array.from({ length: pixels }, (_, pixel) => {
    const place = Math.min(Math.max(((pixel + 0.5) * cells) / pixels - 0.5, 0), cells - 1);
    const first = Math.floor(place);
    return [first, Math.min(first + 1, cells - 1), place - first];
  });
}

/** The labels of pixels without areas of fewer than `smallest` pixels: these take the labels around them. */
export function withoutSmall(labels, width, height, smallest) {
  const small = smallest > 1 ? smallAreas(labels, width, smallest) : [];
  let left = small.length < labels.length ? small : [];
  const [found, undecided] = [labels.slice(), new Uint8Array(labels.length)];
  for (const pixel of left) undecided[pixel] = 1;
  while (left.length) {
    const [reached, rest] = [[], []];
    for (const pixel of left) {
      const around = beside(pixel, width, labels.length).filter((other) => !undecided[other]);
      if (around.length) reached.push([pixel, mostFrequent(around.map((other) => found[other]))]);
      else rest.push(pixel);
    }
    for (const [pixel, label] of reached) [found[pixel], undecided[pixel]] = [label, 0];
    left = rest;
  }
  return found;
}

/** The pixels of all areas that are too small. */
function smallAreas(labels, width, smallest) {
  const [seen, found] = [new Uint8Array(labels.length), []];
  for (let start = 0; start < labels.length; start += 1) {
    if (seen[start]) continue;
    const area = [start];
    seen[start] = 1;
    for (let n = 0; n < area.length; n += 1) {
      for (const other of beside(area[n], width, labels.length)) {
        if (seen[other] || labels[other] !== labels[start]) continue;
        seen[other] = 1;
        area.push(other);
      }
    }
    if (area.length < smallest) for (const pixel of area) found.push(pixel);
  }
  return found;
}

function beside(pixel, width, pixels) {
  const [column, found] = [pixel % width, []];
  if (pixel >= width) found.push(pixel - width);
  if (column) found.push(pixel - 1);
  if (column + 1 < width) found.push(pixel + 1);
  if (pixel + width < pixels) found.push(pixel + width);
  return found;
}

/** The most frequent label; of equally frequent ones the first. */
function mostFrequent(labels) {
  const votes = (label) => labels.filter((other) => other === label).length;
  return labels.reduce((best, label) => {
    const more = votes(label) - votes(best);
    return more > 0 || (more === 0 && label < best) ? label : best;
  });
}
