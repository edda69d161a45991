/**
 * Words as people type them: commas, semicolons and line ends part them, quotes protect these, as in CSV. After a colon
 * and a blank come other words for a label, as in files of labels: `sofa: couch, settee`. They go up to a semicolon or
 * line end.
 *
 * An entry is {label, others}.
 */

const LABEL = /[^\S\n]*"((?:[^"]|"")*)"[^\S\n]*(?=[,;\n]|:\s|:?$)|(?:(?!:\s|:$)[^,;\n])*/y;
const OTHER = /[^\S\n]*"((?:[^"]|"")*)"[^\S\n]*(?=[,;\n]|$)|[^,;\n]*/y;
const OPEN = /\s*"(?:[^"]|"")*$/y; // a quote that is not yet closed

/** The entries of a text; `zeroseg.vocabulary.parse_labels` reads the same labels. A quote that is not closed stays. */
export const parsed = (text) => read(text, false).entries;

/** The entries that are complete while a person is still typing, and `rest`, what is not. */
export function complete(text) {
  const { entries, begin } = read(text, true);
  return { entries, rest: text.slice(begin).trimStart() };
}

/** An entry as it is typed. */
export function written({ label, others }) {
  const words = [label, ...others].map((word) => (/[,;"]|: |:$/.test(word) ? `"${word.replaceAll('"', '""')}"` : word));
  return words[0] + (others.length ? `: ${words.slice(1).join(", ")}` : "");
}

/** A key that is equal for words that count as one. */
export const wordKey = (word) => tidy(word).normalize("NFC").toUpperCase().toLowerCase(); // both: ß is ss

/** `begin`: where the first entry begins that is not complete; with `typing` that one is left out. */
function read(text, typing) {
  const entries = [];
  let [begin, entry, more] = [0, null, false]; // more: other words for the entry follow
  for (let start = 0; start <= text.length; ) {
    if (typing && at(OPEN, text, start)) break;
    const [all, quoted] = at(more ? OTHER : LABEL, text, start);
    const word = tidy(quoted === undefined ? all : quoted.replaceAll('""', '"'));
    const mark = text[start + all.length] ?? "";
    if (!more) entry = { label: word, others: [] };
    else if (word) entry.others.push(word);
    more = mark === ":" || (more && mark === ",");
    start += all.length + 1;
    if (more || (typing && !mark)) continue;
    begin = start;
    if (entry.label) entries.push(entry);
    entry = null;
  }
  if (entry?.label && !typing) entries.push(entry);
  return { entries, begin };
}

function at(pattern, text, start) {
  pattern.lastIndex = start;
  return pattern.exec(text);
}

const tidy = (word) => word.trim().replace(/\s+/g, " ");
