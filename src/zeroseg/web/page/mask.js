/** The labels of a picture's pixels as runs: exact at any size of the picture, and small. */
export class Mask {
  #ends;
  #labels;

  /** `runs`: number and length of each run of equal pixels, row by row, one after the other. */
  constructor(runs, width, height) {
    [this.width, this.height] = [width, height];
    this.#labels = Uint16Array.from({ length: runs.length / 2 }, (_, n) => runs[2 * n]);
    this.#ends = new Float64Array(runs.length / 2);
    let end = 0;
    for (let n = 0; n < this.#ends.length; n += 1) this.#ends[n] = end += runs[2 * n + 1];
  }

  /** The label at a place, in fractions of the picture's width and height. */
  at(across, down) {
    const [x, y] = [Math.floor(across * this.width), Math.floor(down * this.height)];
    return this.#labels[this.#run(y * this.width + x)];
  }

  /** The labels at another size, by the nearest pixel: labels cannot be blended. */
  sampled(width, height) {
    const found = new Uint16Array(width * height);
    const columns = Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * this.width) / width));
    for (let y = 0; y < height; y += 1) {
      const start = Math.floor(((y + 0.5) * this.height) / height) * this.width;
      let run = this.#run(start);
      for (let x = 0; x < width; x += 1) {
        while (this.#ends[run] <= start + columns[x]) run += 1;
        found[y * width + x] = this.#labels[run];
      }
    }
    return found;
  }

  /** The run that holds a pixel: the first that ends after it. */
  #run(pixel) {
    let [low, high] = [0, this.#ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle] > pixel) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
