/** What a person types as the labels to find: the vocabulary that zeroseg makes of it (`merged_vocabulary`). */

import { parsed, wordKey } from "./words.js";

const BACKGROUND = "background"; // what no label fits

/** The entries ({label, others}) of a text. A label that comes twice is one, with the other words of both. */
export function entriesOf(text) {
  const merged = new Map();
  for (const { label, others } of parsed(text)) {
    const key = wordKey(label);
    if (key === BACKGROUND) continue;
    const former = merged.get(key) ?? { label, others: [] };
    merged.set(key, { label: former.label, others: [...new Set([...former.others, ...others])] });
  }
  return [...merged.values()];
}
