/** The field for words, and the words that were typed. They are shown with what was found of them, see `legend.js`. */

import { complete, parsed, wordKey, written } from "./words.js";

const BACKGROUND = "background";
const NEEDLESS = "Background is what no word fits: it needs no word.";

export class WordField {
  #entries = [];

  /**
   * In an `input`; `changed()` is called when a person has changed the words, `say(text)` tells it; `note` is the place
   * for why a word was not taken.
   */
  constructor(input, { note, changed, say }) {
    Object.assign(this, { input, note, changed, say });
    this.#put([]);
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("input", (event) => event.isComposing || this.#take(complete(input.value)));
    input.addEventListener("change", () => this.#take({ entries: parsed(input.value), rest: "" }));
    input.addEventListener("paste", (event) => this.#paste(event));
  }

  /** The words: {label, others, key}. */
  get entries() {
    return [...this.#entries];
  }

  /** Replace the words. */
  set entries(entries) {
    this.#put([]);
    this.#add(entries);
  }

  /** The words as text, as they could be typed. */
  get text() {
    return this.#entries.map(written).join("; ");
  }

  remove(key) {
    const removed = this.#entries.find((entry) => entry.key === key);
    this.#put(this.#entries.filter((entry) => entry !== removed));
    this.changed();
    this.say(`${removed.label} removed.`);
    this.input.focus();
  }

  /** Add words, or other words for those that are there; whether something is new. */
  #add(entries) {
    const [before, after] = [this.text, [...this.#entries]];
    for (const { label, others } of entries) {
      const key = wordKey(label);
      const place = after.findIndex((entry) => entry.key === key);
      if (place >= 0) after[place] = { ...after[place], others: [...new Set([...after[place].others, ...others])] };
      else if (key !== BACKGROUND) after.push({ label, others: [...new Set(others)], key });
    }
    this.#put(after);
    return this.text !== before;
  }

  #put(entries) {
    this.#entries = entries;
    this.input.placeholder = entries.length ? "add a word" : "cat, tall tree";
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#take({ entries: parsed(this.input.value), rest: "" });
    } else if (event.key === "Backspace" && !this.input.value && this.#entries.length) {
      this.remove(this.#entries.at(-1).key);
    }
  }

  /** Text with several lines loses their ends in an input, so it is read before. */
  #paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!text.includes("\n")) return;
    event.preventDefault();
    this.#take({ entries: parsed(text), rest: this.input.value });
  }

  /** Take what is typed but for the `rest`, which may still grow. */
  #take({ entries, rest }) {
    if (this.input.value !== rest && (entries.length || !rest)) this.input.value = rest;
    const needless = entries.some(({ label }) => wordKey(label) === BACKGROUND);
    if (entries.length) this.note.textContent = needless ? NEEDLESS : "";
    if (needless) this.say(NEEDLESS);
    if (!this.#add(entries)) return;
    this.changed();
    this.say(`${entries.map(({ label }) => label).join(", ")} added.`);
  }
}
