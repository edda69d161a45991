/** CLIP's byte-pair encoding, from the tokenizer.json of an export: the token ids that Python finds. */

export class Tokenizer {
  #ids;
  #ranks;
  #longest;
  #known = new Map();

  /** `file`: the values of tokenizer.json. */
  constructor(file) {
    const { model, truncation, post_processor: ends } = file;
    this.#ids = new Map(Object.entries(model.vocab));
    this.#ranks = new Map(model.merges.map((pair, rank) => [pair.join(" "), rank]));
    this.#longest = truncation.max_length;
    [this.start, this.end, this.padding] = [ends.cls[1], ends.sep[1], file.padding.pad_id];
  }

  /** The ids of texts, one row each, padded to the longest: {values, rows, length}. */
  encode(texts) {
    const rows = texts.map((text) => [this.start, ...this.#pieces(text).slice(0, this.#longest - 2), this.end]);
    const length = Math.max(...rows.map((row) => row.length));
    const values = rows.flatMap((row) => [...row, ...Array(length - row.length).fill(this.padding)]);
    return { values: BigInt64Array.from(values, BigInt), rows: rows.length, length };
  }

  #pieces(text) {
    const words = text.normalize("NFC").replace(/\s+/gu, " ").toLowerCase().match(WORD) ?? [];
    return words.flatMap((word) => {
      if (!this.#known.has(word)) this.#known.set(word, this.#merged(word));
      return this.#known.get(word);
    });
  }

  /** The pairs of a word are merged, those that were learned first before others. */
  #merged(word) {
    const parts = Array.from(new TextEncoder().encode(word), (byte) => LETTERS[byte]);
    parts[parts.length - 1] += "</w>";
    while (parts.length > 1) {
      const ranks = parts.slice(1).map((part, n) => this.#ranks.get(`${parts[n]} ${part}`) ?? Infinity);
      const lowest = Math.min(...ranks);
      if (lowest === Infinity) break;
      for (let n = 0; n < parts.length - 1; n += 1) {
        if (this.#ranks.get(`${parts[n]} ${parts[n + 1]}`) === lowest) parts.splice(n, 2, parts[n] + parts[n + 1]);
      }
    }
    return parts.map((part) => this.#ids.get(part) ?? this.end);
  }
}

const WORD = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;

/** The letter that stands for each byte: itself if it can be printed, else one of those from U+0100 on. */
const LETTERS = (() => {
  const printed = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printed(byte) ? byte : next++));
})();
