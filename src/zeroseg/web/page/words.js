/** Words as people type them: commas, semicolons and line ends part them, quotes protect these, as in CSV. */

const FIELD = /[^\S\n]*"((?:[^"]|"")*)"[^\S\n]*(?=[,;\n]|$)|[^,;\n]*/y;

/** The words of a text; `zeroseg.vocabulary.parse_labels` reads the same ones. A quote that is not closed stays. */
export function parsed(text) {
  const words = [];
  FIELD.lastIndex = 0;
  for (let start = 0; start <= text.length; start = FIELD.lastIndex + 1) {
    FIELD.lastIndex = start;
    const [written, quoted] = FIELD.exec(text);
    FIELD.lastIndex = start + written.length;
    words.push(tidy(quoted === undefined ? written : quoted.replaceAll('""', '"')));
  }
  return words.filter(Boolean);
}

/** Whether a text has a separator outside quotes, so that a word is complete. */
export function isComplete(text) {
  const outside = text.trimStart().startsWith('"') ? text.replace(/^\s*"(?:[^"]|"")*("|$)/, "") : text;
  return /[,;\n]/.test(outside);
}

/** A key that is equal for words that count as one. */
export const wordKey = (word) => tidy(word).normalize("NFC").toLowerCase();

const tidy = (word) => word.trim().replace(/\s+/g, " ");
