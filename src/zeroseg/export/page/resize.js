/**
 * Pictures as the network sees them, as zeroseg resizes them (zeroseg/images/tensors.py, zeroseg/segmenter.py). A picture
 * is {values, width, height}: red, green and blue of 0 .. 1, plane by plane.
 */

const LONGEST_ASPECT = 6; // longer pictures are compressed to it

/** A picture from the bytes of a canvas (RGBA). */
export function planes({ data, width, height }) {
  const pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel += 1) {
    for (let p = 0; p < pixels; p += 1) values[channel * pixels + p] = data[4 * p + channel] / 255;
  }
  return { values, width, height };
}

/** Width and height to which a picture is resized: the shorter side, both multiples of `multiple`, pixels. */
export function workingSize(width, height, shorter, multiple) {
  const aspect = Math.min(LONGEST_ASPECT, Math.max(width, height) / Math.min(width, height));
  const whole = (pixels) => Math.max(multiple, even(pixels / multiple) * multiple);
  const [short, long] = [whole(shorter), whole(shorter * aspect)];
  return height > width ? [short, long] : [long, short];
}

/** Resized by antialiased bicubic interpolation (Keys, a = -1/2), as torch does it: across, then down. */
export function resized(picture, width, height) {
  const { values } = picture;
  if (picture.width === width && picture.height === height) return picture;
  const [across, down] = [weights(picture.width, width), weights(picture.height, height)];
  const narrow = new Float32Array(3 * picture.height * width);
  for (let row = 0; row < 3 * picture.height; row += 1) {
    across.forEach(({ first, shares }, x) => {
      let sum = 0;
      for (let n = 0; n < shares.length; n += 1) sum += shares[n] * values[row * picture.width + first + n];
      narrow[row * width + x] = sum;
    });
  }
  const found = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel += 1) {
    down.forEach(({ first, shares }, y) => {
      for (let x = 0; x < width; x += 1) {
        let sum = 0;
        for (let n = 0; n < shares.length; n += 1) {
          sum += shares[n] * narrow[(channel * picture.height + first + n) * width + x];
        }
        found[(channel * height + y) * width + x] = Math.min(1, Math.max(0, sum));
      }
    });
  }
  return { values: found, width, height };
}

/** For each result the first of the pixels that it is made of, and their weights. */
function weights(pixels, results) {
  const scale = pixels / results;
  const stretch = Math.max(1, scale);
  return Array.from({ length: results }, (_, n) => {
    const centre = scale * (n + 0.5);
    const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const end = Math.min(pixels, Math.trunc(centre + 2 * stretch + 0.5));
    const shares = Float64Array.from({ length: end - first }, (_, m) => cubic((first + m - centre + 0.5) / stretch));
    const sum = shares.reduce((one, other) => one + other, 0);
    return { first, shares: shares.map((share) => share / sum) };
  });
}

function cubic(place) {
  const far = Math.abs(place);
  if (far < 1) return (1.5 * far - 2.5) * far * far + 1;
  return far < 2 ? ((-0.5 * far + 2.5) * far - 4) * far + 2 : 0;
}

/** The nearest whole number; of two the even one, as Python rounds. */
function even(number) {
  const below = Math.floor(number);
  const rest = number - below;
  return rest === 0.5 ? below + (below % 2) : Math.round(number);
}
