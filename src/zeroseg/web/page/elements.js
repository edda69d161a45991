/** Elements of the page. The policy of the server forbids markup in strings, so they are made one by one. */

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element. `properties` are those of the DOM; names with a dash or "role" are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** A fraction in per cent, as people read it. */
export function percent(fraction) {
  const value = 100 * fraction;
  if (value > 0 && value < 1) return "< 1 %";
  return value > 99 && value < 100 ? "> 99 %" : `${Math.round(value)} %`;
}

/** A sentence with a capital letter. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
