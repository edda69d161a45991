/** The words that a model has learned, and the one that it reads for a label (zeroseg/known_words.py). */

const SINGULARS = [
  ["ies", "y"], ["ves", "f"], ["ves", "fe"], ["men", "man"], ["mice", "mouse"], ["s", ""], ["es", ""],
];
const HISSING = /(s|x|z|ch|sh)$/;

export class KnownWords {
  #names = new Set();
  #standIns = new Map();

  /** `text`: of known_words.txt, a name a line, or `kitten = cat`; empty for a model that says nothing. */
  constructor(text) {
    for (const line of text.split("\n").map((one) => one.trim()).filter(Boolean)) {
      const [word, known] = line.split(" = ");
      if (known) this.#standIns.set(word, known);
      else this.#names.add(word);
    }
  }

  /** The text to embed for a label. */
  reading(label) {
    const key = label.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    const cut = key.lastIndexOf(" ") + 1;
    for (const [name, start] of [[key, ""], [key.slice(cut), `${key.slice(0, Math.max(0, cut - 1))} `]]) {
      const found = this.#found(name);
      if (found) return found === name ? label : start + found;
    }
    return label;
  }

  #found(word) {
    const singulars = SINGULARS.filter(([ending]) => word.endsWith(ending));
    const forms = [word, ...singulars.map(([ending, singular]) => word.slice(0, -ending.length) + singular)];
    forms.push(plural(word));
    const known = forms.find((form) => this.#names.has(form));
    return known ?? this.#standIns.get(forms.find((form) => this.#standIns.has(form)));
  }
}

function plural(word) {
  if (/[^aeiou]y$/.test(word) || word === "y") return `${word.slice(0, -1)}ies`;
  return word + (HISSING.test(word) ? "es" : "s");
}
