/** A field for words: each is a chip with its colour and a button that removes it. */

import { element } from "./elements.js";
import { isComplete, parsed, wordKey } from "./words.js";

const BACKGROUND = "background";

export class Chips {
  #words = [];
  #list = element("ul", { role: "list" });

  /**
   * Make the field in an element. `id`: of the input, which has a label elsewhere; `colourOf(key)`; `changed()` is
   * called when a person has changed the words, `say(text)` tells what happened to those who cannot see it.
   */
  constructor(place, { id, colourOf, changed, say, described }) {
    Object.assign(this, { colourOf, changed, say });
    this.#list.setAttribute("aria-label", "Words so far");
    this.input = element("input", { id, type: "text", autocomplete: "off", autocapitalize: "none",
      enterKeyHint: "done", maxLength: 5000,
      ...(described && { "aria-describedby": described }) });
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("input", (event) => {
      if (!event.isComposing && isComplete(this.input.value)) this.#take(true);
    });
    this.input.addEventListener("change", () => this.#take(false));
    place.append(this.#list, this.input);
    place.addEventListener("click", (event) => event.target === place && this.input.focus());
    place.addEventListener("paste", (event) => this.#paste(event));
  }

  get words() {
    return [...this.#words];
  }

  /** Replace the words; `show` draws them. */
  set words(words) {
    this.#words = [];
    this.add(words);
  }

  /** Add words that are not yet there; whether there were any. */
  add(words) {
    const before = this.#words.length;
    for (const word of words) {
      const known = this.#words.some((other) => wordKey(other) === wordKey(word));
      if (!known && wordKey(word) !== BACKGROUND) this.#words.push(word);
    }
    return this.#words.length > before;
  }

  /** Draw the chips. */
  show() {
    this.#list.replaceChildren(...this.#words.map((word) => this.#chip(word)));
    this.#list.hidden = !this.#words.length;
    this.input.placeholder = this.#words.length ? "add a word" : "cat, tall tree";
  }

  #chip(word) {
    const swatch = element("span", { className: "swatch", "aria-hidden": "true" });
    swatch.style.background = this.colourOf(wordKey(word));
    const remove = element("button", { type: "button", className: "remove", "aria-label": `Remove ${word}` }, "×");
    remove.addEventListener("click", () => this.#remove(word));
    return element("li", { className: "chip" }, swatch, element("span", { className: "word" }, word), remove);
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#take(false);
    } else if (event.key === "Backspace" && !this.input.value && this.#words.length) {
      this.#remove(this.#words.at(-1));
    }
  }

  /** Text with several lines loses their ends in an input, so it is read before. */
  #paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!text.includes("\n")) return;
    event.preventDefault();
    this.#added(parsed(text));
  }

  /** Make chips of what is typed; `typing`: the part after the last comma may still grow. */
  #take(typing) {
    const words = parsed(this.input.value);
    const rest = typing && !/[,;\n]\s*$/.test(this.input.value) ? words.pop() : "";
    this.input.value = rest ?? "";
    this.#added(words);
  }

  #added(words) {
    if (words.some((word) => wordKey(word) === BACKGROUND)) {
      this.say("Background is what no word fits: it needs no word.");
    }
    if (!this.add(words)) return;
    this.changed();
    this.say(`${words.join(", ")} added.`);
  }

  #remove(word) {
    this.#words = this.#words.filter((other) => other !== word);
    this.changed();
    this.say(`${word} removed.`);
    this.input.focus();
  }
}
