/** Masks over a photo: tints, light contours with a dark rim, and names, as `zeroseg.drawing.overlay` draws them. */

/** Pixels of the longer side of what is drawn, at most. */
export const LARGEST = 1600;

const [SMALLEST, THINNEST] = [384, 32]; // pixels of the longer side, and of the shorter one
const [LINE, RIM] = [0.9, 0.55]; // strength of contours
const WIDE = 800; // from this side on contours have two pixels
const COARSE = 200; // the side of the map on which places for names are sought
const LEADING = 1.25; // from name to name, in heights of letters
const ROOM = 3; // pixels of this map that a name needs around it
const outlines = new WeakMap(); // label map -> what was drawn of it

/** Width and height at which a picture is drawn. */
export function displaySize(width, height) {
  const longer = Math.max(width, height);
  const scale = Math.min(Math.ceil(SMALLEST / longer), LARGEST / longer);
  return [width, height].map((side) => Math.max(THINNEST, Math.round(side * scale)));
}

/**
 * Paint labels on a canvas of their size. `tints`: for each label red, green, blue and opacity; labels without a tint
 * are not shown.
 */
export function paint(canvas, { labels, width, height }, tints) {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const { shown, edge, rim } = outlined(labels, width, height, tints);
  const [inside, onRim, onLine] = [colours(tints, 0, 0), colours(tints, 0, RIM), colours(tints, 255, LINE)];
  const pixels = new ImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let n = 0; n < words.length; n += 1) {
    words[n] = (edge[n] ? onLine : rim[n] ? onRim : inside)[shown[n]];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** The labels that are shown, and their contours; the last ones of a label map are kept, for other colours. */
function outlined(labels, width, height, tints) {
  const hides = Array.from(tints, (tint) => (tint ? 1 : 0)).join("");
  if (outlines.get(labels)?.hides !== hides) {
    const shown = labels.map((label) => (tints[label] ? label : 0));
    const line = contours(shown, width, height);
    const edge = Math.max(width, height) > WIDE ? grown(line, width, height) : line;
    outlines.set(labels, { hides, shown, edge, rim: grown(edge, width, height) });
  }
  return outlines.get(labels);
}

/** Where the name of each label that is shown fits best: {label, x, y}, fractions of the picture; the widest first. */
export function namePlaces({ labels, width, height }, tints) {
  const step = Math.max(1, Math.ceil(Math.max(width, height) / COARSE));
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const coarse = new Uint16Array(columns * rows);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) coarse[y * columns + x] = labels[y * step * width + x * step];
  }
  const room = distances(coarse, columns, rows);
  const best = new Map();
  coarse.forEach((label, n) => {
    const most = best.get(label)?.room ?? ROOM - 1;
    if (tints[label] && room[n] > most) best.set(label, { n, room: room[n] });
  });
  return [...best].sort(([, a], [, b]) => b.room - a.room).map(([label, { n }]) => ({
    label, x: ((n % columns) + 0.5) / columns, y: (Math.floor(n / columns) + 0.5) / rows,
  }));
}

/** Write names at their places, but none over another; `size`: of the letters, in pixels of the canvas. */
export function writeNames(context, places, nameOf, size) {
  const { width, height } = context.canvas;
  context.font = `600 ${size}px system-ui, sans-serif`;
  Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: size / 3.5 });
  const taken = [];
  for (const { label, x, y } of places) {
    const half = context.measureText(nameOf(label)).width / 2 + size / 3;
    const across = Math.min(Math.max(x * width, half), Math.max(half, width - half));
    const down = Math.min(Math.max(y * height, size), height - size);
    const beside = (one) => Math.abs(one.across - across) >= one.half + half;
    const apart = (one) => beside(one) || Math.abs(one.down - down) >= LEADING * size;
    if (!taken.every(apart)) continue;
    taken.push({ across, down, half });
    context.strokeStyle = "rgb(0 0 0 / 70%)";
    context.strokeText(nameOf(label), across, down);
    context.fillStyle = "white";
    context.fillText(nameOf(label), across, down);
  }
}

/** Draw the line between two sides, and their letters. */
export function drawDivider(context, across) {
  const { width, height } = context.canvas;
  const size = Math.max(14, Math.max(width, height) / 50);
  context.fillStyle = "rgb(0 0 0 / 60%)";
  context.fillRect(across - size / 6, 0, size / 3, height);
  context.fillStyle = "white";
  context.fillRect(across - size / 10, 0, size / 5, height);
  writeNames(context, [{ label: 0, x: 0, y: 0 }, { label: 1, x: 1, y: 0 }], (side) => "AB"[side], 1.4 * size);
}

/** For each label the colour as one number: its tint, and over it grey of a `strength`. */
function colours(tints, grey, strength) {
  const strongest = Math.max(0, ...Object.values(tints).map((tint) => tint?.[3] ?? 0));
  const over = strength * Math.min(1, 3 * strongest);
  const numbers = Array.from({ length: Math.max(1, tints.length) }, (_, label) => {
    const [red, green, blue, opacity] = tints[label] ?? [0, 0, 0, 0];
    const alpha = 1 - (1 - opacity) * (1 - over);
    const level = (tint) => (alpha ? Math.round((tint * opacity * (1 - over) + grey * over) / alpha) : 0);
    return ((Math.round(255 * alpha) << 24) | (level(blue) << 16) | (level(green) << 8) | level(red)) >>> 0;
  });
  return Uint32Array.from(numbers);
}

/** 1 where a pixel differs from the one before it or above it. */
function contours(labels, width, height) {
  const line = new Uint8Array(labels.length);
  for (let y = 0, n = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, n += 1) {
      if ((x && labels[n] !== labels[n - 1]) || (y && labels[n] !== labels[n - width])) line[n] = 1;
    }
  }
  return line;
}

/** One pixel more in the four directions. */
function grown(mask, width, height) {
  const larger = mask.slice();
  for (let y = 0, n = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, n += 1) {
      if (!mask[n]) continue;
      if (x) larger[n - 1] = 1;
      if (x + 1 < width) larger[n + 1] = 1;
      if (y) larger[n - width] = 1;
      if (y + 1 < height) larger[n + width] = 1;
    }
  }
  return larger;
}

/** How far each pixel is from one of another label or from the border, in steps; two passes. */
function distances(labels, width, height) {
  const far = new Uint16Array(labels.length);
  const before = (n, m, inside) => (inside && labels[m] === labels[n] ? far[m] : 0);
  for (let n = 0; n < far.length; n += 1) {
    far[n] = 1 + Math.min(before(n, n - 1, n % width > 0), before(n, n - width, n >= width));
  }
  for (let n = far.length - 1; n >= 0; n -= 1) {
    const [right, below] = [(n + 1) % width > 0, n + width < far.length];
    far[n] = Math.min(far[n], 1 + before(n, n + 1, right), 1 + before(n, n + width, below));
  }
  return far;
}
